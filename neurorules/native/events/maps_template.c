/* Included by maps.c, once a floating type, after vectors_template.c. */

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

/* Adds the rows of a table that the active maps of some cells name to the places that the cells reach. `length` and
 * `runs` are constants of the compiler. */
INLINE void NAME(gather)(const Maps *k, const Block *block, REAL *sums, const REAL *table, const REAL *maps,
                         const Cell *cell, const Cell *end, int length, int runs)
{
    const int64_t width = k->parts * LANES, pixels = k->pixels;
    NAME(Vector) held[SUMS];
    int64_t reach[MOST_RUNS];
    for (int r = 0; r < runs; r++)
        reach[r] = block->reach[r] * LANES;
    for (; cell < end; cell++) {
        REAL *place = sums + cell->place * width;
        const REAL *value = maps + cell->pixel;
#pragma GCC unroll 8
        for (int r = 0; r < runs; r++) {
            const NAME(Vector) *at = NAME(run)(place, reach[r]);
#pragma GCC unroll 8
            for (int v = 0; v < length; v++)
                held[r * length + v] = at[v];
        }
        for (BITS active = cell->active; active; active &= active - 1) {
            int64_t map = sizeof(BITS) == 4 ? __builtin_ctz(active) : __builtin_ctzll(active);
            const NAME(Vector) *row = (const NAME(Vector) *)(table + map * (length * runs * LANES));
            REAL sent = value[map * pixels];
#pragma GCC unroll 32
            for (int v = 0; v < length * runs; v++)
                held[v] += sent * row[v];
        }
#pragma GCC unroll 8
        for (int r = 0; r < runs; r++) {
            NAME(Vector) *at = NAME(run)(place, reach[r]);
#pragma GCC unroll 8
            for (int v = 0; v < length; v++)
                at[v] = held[r * length + v];
        }
    }
}

/* Adds to a map's row of a table what its active positions of some rows reach. `words` holds one bit for each position,
 * and `within` those of the block's class. */
INLINE void NAME(add)(const Maps *k, const Block *block, REAL *table, const REAL *grid, const REAL *map,
                      const uint64_t *words, const uint64_t *within, int64_t rows, int length, int runs)
{
    const int64_t width = k->parts * LANES, many = (k->pixels + 63) / 64, cg = k->channels / k->groups;
    NAME(Vector) held[SUMS], *at = (NAME(Vector) *)table;
    int64_t reach[MOST_RUNS];
    for (int r = 0; r < runs; r++)
        reach[r] = block->reach[r] * LANES;
#pragma GCC unroll 32
    for (int v = 0; v < length * runs; v++)
        held[v] = at[v];
    for (int64_t row = 0; row < rows; row++) {
        const REAL *post = grid + row * k->grid * width, *value = map + row * k->channels * k->pixels;
        for (int64_t word = 0; word < many; word++)
            for (uint64_t bits = words[row * cg * many + word] & within[word]; bits; bits &= bits - 1) {
                int64_t pixel = 64 * word + __builtin_ctzll(bits);
                const REAL *place = post + k->places[pixel] * width;
                REAL sent = value[pixel];
#pragma GCC unroll 8
                for (int r = 0; r < runs; r++) {
                    const NAME(Vector) *reached = NAME(run)(place, reach[r]);
#pragma GCC unroll 8
                    for (int v = 0; v < length; v++)
                        held[r * length + v] += sent * reached[v];
                }
            }
    }
#pragma GCC unroll 32
    for (int v = 0; v < length * runs; v++)
        at[v] = held[v];
}

static void NAME(gather_block)(const Maps *k, const Block *block, REAL *sums, const REAL *table, const REAL *maps,
                               const Cell *cell, const Cell *end)
{
#define CASE(length, runs)                                                          \
    case 8 * length + runs:                                                         \
        NAME(gather)(k, block, sums, table, maps, cell, end, length, runs);         \
        break;
    switch (8 * block->length + block->runs) {
        SHAPES(CASE)
    }
#undef CASE
}

static void NAME(add_block)(const Maps *k, const Block *block, REAL *table, const REAL *grid, const REAL *map,
                            const uint64_t *words, const uint64_t *within, int64_t rows)
{
#define CASE(length, runs)                                                            \
    case 8 * length + runs:                                                           \
        NAME(add)(k, block, table, grid, map, words, within, rows, length, runs);     \
        break;
    switch (8 * block->length + block->runs) {
        SHAPES(CASE)
    }
#undef CASE
}

/* The number of outputs in the band of a group, and where they begin among all. */
INLINE int64_t NAME(band)(const Maps *k, int64_t unit, int64_t bands, int64_t *first)
{
    int64_t width = k->parts * LANES, of_group = k->outputs / k->groups, before = unit % bands * width;
    *first = unit / bands * of_group + before;
    return of_group - before < width ? of_group - before : width;
}

/* The part of a table with the weights of n maps from `channel` of a group on, in a band. Lanes behind its last output
 * are zero. */
static void NAME(fill)(const Maps *k, int64_t unit, int64_t bands, int64_t channel, int64_t n, REAL *table)
{
    int64_t first, many = NAME(band)(k, unit, bands, &first), cg = k->channels / k->groups;
    if (many < k->parts * LANES)
        memset(table, 0, n * k->slots * LANES * sizeof(REAL));
    for (int64_t o = 0; o < many; o++)
        for (int64_t c = 0; c < n; c++) {
            const REAL *kernel = (const REAL *)k->kernels + ((first + o) * cg + channel + c) * k->taps;
            for (int64_t slot = 0; slot < k->slots; slot++)
                if (k->slot_part[slot] == o / LANES)
                    table[NAME(weights)(k, slot, c, n) * LANES + o % LANES] = kernel[k->slot_tap[slot]];
        }
}

/* One bit for each of n maps at each position: whether the map is active there. */
static void NAME(look)(const Maps *k, const REAL *maps, int n, BITS *active)
{
    for (int64_t i = 0; i < k->pixels; i += LANES) { /* a vector of positions, for all maps; the last may overlap */
        int64_t first = i <= k->pixels - LANES ? i : k->pixels - LANES, lanes = LANES;
        BITS here[LANES] = {0};
        if (first < 0)
            first = 0, lanes = k->pixels;
        if (lanes == LANES)
            for (int c = 0; c < n; c++)
                for (int p = 0; p < LANES; p++)
                    here[p] |= (BITS)(maps[c * k->pixels + first + p] != 0) << c;
        for (int c = 0; lanes < LANES && c < n; c++)
            for (int p = 0; p < lanes; p++)
                here[p] |= (BITS)(maps[c * k->pixels + p] != 0) << c;
        memcpy(active + first, here, lanes * sizeof *here);
    }
}

/* Appends the cells of one class to those that end at `next`, and returns the new end. With several maps, those where
 * most of them are active come first, so that the processor foresees where a loop over them ends. `room` holds a number
 * for each position. */
INLINE int32_t NAME(list_class)(const Maps *k, int n, int64_t class, const BITS *active, Cell *cells, int32_t next,
                                int32_t *room)
{
    int32_t places[MOST_SPAN + 1][4] = {0}, count = 0; /* four of each, so that none waits for the one before */
    for (int64_t i = k->class_cells[class]; i < k->class_cells[class + 1]; i++) { /* writes over one that is not active */
        room[count] = (int32_t)i;
        count += active[k->pixels_of_cells[i]] != 0;
    }
    for (int32_t i = 0; n > UNSORTED && i < count; i++)
        places[__builtin_popcountll(active[k->pixels_of_cells[room[i]]])][i % 4]++;
    for (int many = n, all = next; many > 0; many--)
        for (int quarter = 0; quarter < 4; quarter++) {
            int32_t length = places[many][quarter];
            places[many][quarter] = all;
            all += length;
        }
    for (int32_t i = 0; i < count; i++) {
        int32_t pixel = k->pixels_of_cells[room[i]];
        int32_t place = n > UNSORTED ? places[__builtin_popcountll(active[pixel])][i % 4]++ : next + i;
        cells[place] = (Cell){k->places_of_cells[room[i]], pixel, active[pixel]};
    }
    return next + count;
}

/* The current of n rows from `first` on. */
static void NAME(run_rows)(const Maps *k, int64_t first, int64_t n, char *room)
{
    int64_t cg = k->channels / k->groups, spans = (cg + k->span - 1) / k->span, width = k->parts * LANES;
    int64_t bands = (k->outputs / k->groups + width - 1) / width, size = k->grid * width, one = (k->pixels + 3) / 4 * 4; /* whole lines of the cache */
    Cell *cells = (Cell *)room;
    REAL *sums = (REAL *)(cells + k->held * spans * one);
    BITS *active = (BITS *)(sums + k->held * size);
    int32_t *ends = (int32_t *)(active + k->pixels), *chosen = ends + k->held * spans * (k->classes + 1);
    for (int64_t unit = 0; unit < k->groups * bands; unit++) {
        int64_t start, many = NAME(band)(k, unit, bands, &start), area = k->high * k->wide;
        const REAL *maps = (const REAL *)k->maps + (first * k->channels + unit / bands * cg) * k->pixels;
        const REAL *table = (const REAL *)k->tables + unit * cg * k->slots * LANES;
        for (int64_t part = 0; unit % bands == 0 && part < n * spans; part++) {
            int64_t channel = part % spans * k->span, mine = cg - channel < k->span ? cg - channel : k->span;
            int32_t *end = ends + part * (k->classes + 1);
            NAME(look)(k, maps + (part / spans * k->channels + channel) * k->pixels, (int)mine, active);
            end[0] = 0;
            for (int64_t class = 0; class < k->classes; class++)
                end[class + 1] = NAME(list_class)(k, (int)mine, class, active, cells + part * one, end[class], chosen);
        }
        memset(sums, 0, n * size * sizeof(REAL));
        for (int64_t channel = 0; channel < cg; channel += k->span) {
            int64_t mine = cg - channel < k->span ? cg - channel : k->span;
            for (int64_t row = 0; row < n; row++) {
                int64_t part = row * spans + channel / k->span;
                const int32_t *end = ends + part * (k->classes + 1);
                for (int64_t class = 0; class < k->classes; class++)
                    for (int64_t b = k->class_blocks[class]; b < k->class_blocks[class + 1]; b++)
                        NAME(gather_block)(k, k->blocks + b, sums + row * size,
                                           table + (channel * k->slots + k->blocks[b].start * mine) * LANES,
                                           maps + (row * k->channels + channel) * k->pixels,
                                           cells + part * one + end[class], cells + part * one + end[class + 1]);
            }
        }
        for (int64_t row = 0; row < n; row++)
            for (int64_t y = 0; y < k->high; y++)
                NAME(to_columns)((REAL *)k->post + ((first + row) * k->outputs + start) * area + y * k->wide, area,
                                 sums + row * size + (k->corner + y * k->grid_wide) * width, width, many, k->wide);
    }
}

/* The current that each row of maps brings. */
void NAME(current)(const Maps *k)
{
    int64_t cg = k->channels / k->groups, spans = (cg + k->span - 1) / k->span, width = k->parts * LANES;
    int64_t bands = (k->outputs / k->groups + width - 1) / width, units = k->groups * bands;
#pragma omp parallel for schedule(static) num_threads(team(units * cg * k->slots * LANES, k->threads))
    for (int64_t task = 0; task < units * spans; task++) {
        int64_t channel = task % spans * k->span, n = cg - channel < k->span ? cg - channel : k->span;
        NAME(fill)(k, task / spans, bands, channel, n,
                   (REAL *)k->tables + (task / spans * cg + channel) * k->slots * LANES);
    }
#pragma omp parallel for schedule(static) num_threads(team(k->entries * k->taps * k->outputs, k->threads))
    for (int64_t piece = 0; piece < (k->rows + k->held - 1) / k->held; piece++) {
        int64_t first = piece * k->held, n = k->rows - first < k->held ? k->rows - first : k->held;
        NAME(run_rows)(k, first, n, (char *)k->room + omp_get_thread_num() * k->room_bytes);
    }
}

/* Adds the change by n rows from `first` on to the tables of units from <= unit < to. */
static void NAME(learn_rows)(const Maps *k, int64_t first, int64_t n, int64_t from, int64_t to, REAL *tables,
                             REAL *grid, uint64_t *words)
{
    int64_t cg = k->channels / k->groups, width = k->parts * LANES, area = k->high * k->wide;
    int64_t bands = (k->outputs / k->groups + width - 1) / width, many = (k->pixels + 63) / 64;
    for (int64_t unit = from; unit < to; unit++) {
        int64_t start, outputs = NAME(band)(k, unit, bands, &start);
        const REAL *maps = (const REAL *)k->maps + (first * k->channels + unit / bands * cg) * k->pixels;
        for (int64_t map = 0; (unit == from || unit % bands == 0) && map < n * cg; map++)
            for (int64_t i = 0; i < k->pixels; i += 64)
                words[map * many + i / 64] =
                    NAME(bits)(maps + (map / cg * k->channels + map % cg) * k->pixels + i,
                               k->pixels - i < 64 ? (int)(k->pixels - i) : 64);
        for (int64_t row = 0; row < n; row++)
            for (int64_t y = 0; y < k->high; y++)
                NAME(from_columns)(grid + (row * k->grid + k->corner + y * k->grid_wide) * width, width,
                                   (const REAL *)k->post + ((first + row) * k->outputs + start) * area + y * k->wide,
                                   area, outputs, k->wide);
        for (int64_t c = 0; c < cg; c++)
            for (int64_t class = 0; class < k->classes; class++)
                for (int64_t b = k->class_blocks[class]; b < k->class_blocks[class + 1]; b++) {
                    const Block *block = k->blocks + b;
                    REAL *table = tables + (unit * cg * k->slots + block->start * cg + c * block->length * block->runs) * LANES;
                    NAME(add_block)(k, block, table, grid, maps + c * k->pixels, words + c * many,
                                    k->class_bits + class * many, n);
                }
    }
}

/* The change of the kernels, post factors times maps summed over rows: shares of the rows apart, and then together. */
void NAME(change)(const Maps *k)
{
    int64_t cg = k->channels / k->groups, width = k->parts * LANES, of_group = k->outputs / k->groups;
    int64_t bands = (of_group + width - 1) / width, units = k->groups * bands, size = units * cg * k->slots * LANES;
    int64_t pieces = (k->rows + k->held - 1) / k->held;
#pragma omp parallel for schedule(static) num_threads(team(k->entries * k->taps * k->outputs, k->threads))
    for (int64_t task = 0; task < k->shares * k->strips; task++) {
        int64_t share = task / k->strips, from = units * (task % k->strips) / k->strips;
        int64_t to = units * (task % k->strips + 1) / k->strips, last = pieces * (share + 1) / k->shares;
        REAL *grid = (REAL *)((char *)k->room + omp_get_thread_num() * k->room_bytes), *tables = (REAL *)k->tables + share * size;
        memset(grid, 0, k->held * k->grid * width * sizeof(REAL));
        memset(tables + from * cg * k->slots * LANES, 0, (to - from) * cg * k->slots * LANES * sizeof(REAL));
        for (int64_t piece = pieces * share / k->shares; piece < last; piece++) {
            int64_t first = piece * k->held, n = k->rows - first < k->held ? k->rows - first : k->held;
            NAME(learn_rows)(k, first, n, from, to, tables, grid, (uint64_t *)(grid + k->held * k->grid * width));
        }
    }
#pragma omp parallel for schedule(static) num_threads(team(size * k->shares, k->threads))
    for (int64_t output = 0; output < k->outputs; output++) {
        int64_t o = output % of_group, unit = output / of_group * bands + o / width, part = o % width / LANES;
        REAL *kernels = (REAL *)k->kernels + output * cg * k->taps;
        for (int64_t c = 0; c < cg; c++)
            for (int64_t slot = 0; slot < k->slots; slot++) {
                if (k->slot_part[slot] != part)
                    continue;
                const REAL *table = (const REAL *)k->tables + (unit * cg * k->slots + NAME(weights)(k, slot, c, cg)) * LANES;
                REAL sum = 0;
                for (int64_t share = 0; share < k->shares; share++)
                    sum += table[share * size + o % LANES];
                kernels[c * k->taps + k->slot_tap[slot]] = sum;
            }
    }
}
