/* The current that active maps bring. Included by maps.c, once a floating type, after maps_template.c. */

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
