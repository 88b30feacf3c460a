/* What both products of maps share. Included by maps.c, once a floating type, after vectors_template.c. */

int64_t NAME(lanes)(void)
{
    return LANES;
}

/* The number of non-zero values in one row of each EVERY. */
int64_t NAME(sample)(const REAL *values, int64_t rows, int64_t numbers)
{
    int64_t count = 0;
    for (int64_t row = 0; row < rows; row += EVERY) {
        int32_t here = 0;
        for (int64_t i = 0; i < numbers; i++)
            here += values[row * numbers + i] != 0;
        count += here;
    }
    return count;
}

/* The number of a table's vector with the weights of map `channel` in a part of `span` maps. */
INLINE int64_t NAME(weights)(const Maps *k, int64_t slot, int64_t channel, int64_t span)
{
    return k->slot_start[slot] * span + channel * k->slot_row[slot] + slot - k->slot_start[slot];
}

/* The vectors of a run. Their address is one number: compilers would like to hold one for each vector, for which there
 * are not enough registers. */
INLINE NAME(Vector) *NAME(run)(const REAL *place, int64_t reach)
{
    REAL *at = (REAL *)place + reach;
    __asm__("" : "+r"(at));
    return (NAME(Vector) *)at;
}

/* The number of outputs in the band of a group, and where they begin among all. */
INLINE int64_t NAME(band)(const Maps *k, int64_t unit, int64_t bands, int64_t *first)
{
    int64_t width = k->parts * LANES, of_group = k->outputs / k->groups, before = unit % bands * width;
    *first = unit / bands * of_group + before;
    return of_group - before < width ? of_group - before : width;
}
