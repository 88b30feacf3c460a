/* The change of the kernels by active maps. Included by maps.c, once a floating type, after maps_template.c. */

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
