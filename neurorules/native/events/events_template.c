/* Included by events.c, once a floating type. */

typedef struct {
    REAL value;
    int32_t index; /* of the source */
} NAME(Active);

int64_t NAME(width)(void)
{
    return VECTORS * LANES;
}

/* Appends the non-zero values between two places of a row to a list, and returns the new length. Writes up to 8 places
 * further. */
INLINE int64_t NAME(append)(NAME(Active) *active, int64_t count, const REAL *value, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i += 64) {
        uint64_t bits = NAME(bits)(value + i, to - i < 64 ? (int)(to - i) : 64);
        int64_t after = count + __builtin_popcountll(bits);
        for (; count < after; count += 8) /* eight at a time without a branch; those behind the last are written over */
#pragma GCC unroll 8
            for (int e = 0; e < 8; e++) {
                int64_t at = i + (bits ? __builtin_ctzll(bits) : 0);
                active[count + e] = (NAME(Active)){value[at], (int32_t)at};
                bits &= bits - 1;
            }
        count = after;
    }
    return count;
}

/* Copies a list behind another, eight values at a time; those behind the last one are written over. */
INLINE int64_t NAME(copy)(NAME(Active) *active, int64_t count, const NAME(Active) *from, const NAME(Active) *end)
{
    for (int64_t e = 0; e < end - from; e += 8)
        memcpy(active + count + e, from + e, 8 * sizeof *active);
    return count + (end - from);
}

/* Lists of the non-zero values of some groups of rows, chunk by chunk of columns; false once there are more than
 * `limit`. The lists of a group and a chunk follow each other, and so do their starts, behind which the end stands.
 * A group is read row by row, which memory is quickest at, into room `by_row` for all of its values and eight. */
static int NAME(list_groups)(const REAL *values, int64_t first, int64_t last, int64_t rows, int64_t columns,
                             int64_t chunk, int64_t limit, int64_t *starts, NAME(Active) *active, int64_t room,
                             NAME(Active) *by_row)
{
    int64_t chunks = (columns + chunk - 1) / chunk, count = 0;
    for (int64_t group = first; group < last; group++) {
        int64_t row = group * GROUP, n = rows - row < GROUP ? rows - row : GROUP, here = 0;
        int64_t *start = starts + group * chunks * (GROUP + 1), ends[GROUP];
        for (int64_t r = 0; r < n; r++) {
            for (int64_t c = 0; c < chunks; c++) {
                int64_t from = c * chunk, to = from + chunk < columns ? from + chunk : columns;
                start[c * (GROUP + 1) + r] = here;
                here = NAME(append)(by_row, here, values + (row + r) * columns, from, to);
            }
            ends[r] = here;
        }
        if (count + here > limit)
            return 0;
        for (int64_t c = 0; c < chunks; c++)
            for (int64_t r = 0; r <= GROUP; r++) {
                int64_t *at = start + c * (GROUP + 1) + r, from = *at;
                *at = room + count;
                if (r >= n)
                    continue;
                int64_t end = c + 1 < chunks ? at[GROUP + 1] : ends[r];
                count = NAME(copy)(active + room, count, by_row + from, by_row + end);
            }
    }
    return 1;
}

/* The number of non-zero values in one row of each SAMPLED. */
int64_t NAME(sample)(const REAL *values, int64_t rows, int64_t columns)
{
    int64_t count = 0;
    for (int64_t row = 0; row < rows; row += SAMPLED) {
        int32_t here = 0; /* a row has fewer columns than an int32_t counts: its indices are such numbers */
        for (int64_t i = 0; i < columns; i++)
            here += values[row * columns + i] != 0;
        count += here;
    }
    return count;
}

/* Lists the non-zero values of a matrix, each thread in room of its own for `limit` of them, a row and eight.
 * Returns how many there are; -1 for more than `limit`, whatever the number of threads. */
int64_t NAME(list)(const REAL *values, int64_t rows, int64_t columns, int64_t chunk, int64_t limit, int64_t *starts,
                   NAME(Active) *active, NAME(Active) *by_row, int32_t threads)
{
    int64_t chunks = (columns + chunk - 1) / chunk, groups = (rows + GROUP - 1) / GROUP, total = 0;
    int parts = team(rows * columns, threads), few = 1;
#pragma omp parallel for schedule(static, 1) num_threads(parts) reduction(+ : total) reduction(&& : few)
    for (int part = 0; part < parts; part++) {
        int64_t first = groups * part / parts, last = groups * (part + 1) / parts, room = part * (limit + columns + 8);
        int fits = NAME(list_groups)(values, first, last, rows, columns, chunk, limit, starts, active, room,
                                     by_row + part * (GROUP * columns + 8));
        few = few && fits;
        if (fits && first < last)
            total += starts[last * chunks * (GROUP + 1) - 1] - room;
    }
    return few && total <= limit ? total : -1;
}

/* The sum of each column of a matrix, of which `groups` x `chunks` lists of GROUP rows are given. */
void NAME(totals)(const int64_t *starts, const NAME(Active) *active, int64_t groups, int64_t chunks, int64_t columns,
                  double *totals)
{
    memset(totals, 0, columns * sizeof *totals);
    for (int64_t g = 0; g < groups; g++)
        for (int64_t e = starts[g * chunks * (GROUP + 1)]; e < starts[(g + 1) * chunks * (GROUP + 1) - 1]; e++)
            totals[active[e].index] += active[e].value;
}

/* The lists of a matrix's columns, chunk by chunk of `length` rows, whole groups, from those of its rows. `starts` has
 * columns + 1 places for each chunk, of which the last one is where its lists end. */
void NAME(turn)(const int64_t *row_starts, const NAME(Active) *in_rows, int64_t rows, int64_t columns, int64_t chunks,
                int64_t length, int64_t *starts, NAME(Active) *in_columns, int32_t threads)
{
    int64_t groups = (rows + GROUP - 1) / GROUP, many = length / GROUP, pieces = (groups + many - 1) / many;
    int64_t base = 0, step = chunks * (GROUP + 1);
    for (int64_t piece = 0; piece < pieces; piece++) { /* where the lists of each chunk begin */
        starts[piece * (columns + 1) + columns] = base;
        for (int64_t g = piece * many; g < groups && g < (piece + 1) * many; g++)
            base += row_starts[(g + 1) * step - 1] - row_starts[g * step];
    }
#pragma omp parallel for schedule(static) num_threads(team(base, threads))
    for (int64_t piece = 0; piece < pieces; piece++) {
        int64_t *place = starts + piece * (columns + 1), first = piece * many, at = place[columns];
        int64_t last = first + many < groups ? first + many : groups;
        memset(place, 0, columns * sizeof *place);
        for (int64_t g = first; g < last; g++)
            for (int64_t e = row_starts[g * step]; e < row_starts[(g + 1) * step - 1]; e++)
                place[in_rows[e].index]++;
        for (int64_t i = 0; i < columns; i++) { /* lengths become ends of the lists, filled from behind */
            at += place[i];
            place[i] = at;
        }
        place[columns] = at;
        for (int64_t list = last * chunks; list-- > first * chunks;) {
            const int64_t *start = row_starts + list * (GROUP + 1), row = list / chunks * GROUP;
            for (int64_t r = GROUP; r-- > 0;)
                for (int64_t e = start[r + 1]; e-- > start[r];)
                    in_columns[--place[in_rows[e].index]] = (NAME(Active)){in_rows[e].value, (int32_t)(row + r)};
        }
    }
}

/* The table of a chunk of sources and a block of columns, with zeros behind the last column. */
static void NAME(fill)(REAL *table, const Product *k, int64_t source, int64_t sources, int64_t column, int n, int width)
{
    const REAL *factor = k->factor;
    if (n < width)
        memset(table, 0, sources * width * sizeof(REAL));
    if (k->transposed) {
        NAME(transpose)(table, width, factor + column * k->sources + source, k->sources, sources, n);
        return;
    }
    for (int64_t s = 0; s < sources; s++) {
        const REAL *row = factor + (source + s) * k->columns + column;
        for (int64_t j = 0; s + AHEAD < sources && j < n; j += 64 / sizeof(REAL)) /* rows lie far apart */
            __builtin_prefetch(row + AHEAD * k->columns + j);
        memcpy(table + s * width, row, n * sizeof(REAL));
    }
}

/* Adds to a sum, which `begins` at zero, the rows of a table that a list names; row 0 is `source`. `vectors` is a
 * constant of the compiler. */
INLINE void NAME(gather)(REAL *sum, const REAL *table, int64_t source, const NAME(Active) *active,
                         const NAME(Active) *end, int vectors, int begins)
{
    NAME(Vector) held[VECTORS], *at = (NAME(Vector) *)sum;
#pragma GCC unroll 16
    for (int v = 0; v < vectors; v++)
        held[v] = begins ? (NAME(Vector)){0} : at[v];
    for (; active < end; active++) {
        const NAME(Vector) *row = (const NAME(Vector) *)(table + (active->index - source) * (vectors * LANES));
        REAL value = active->value;
#pragma GCC unroll 16
        for (int v = 0; v < vectors; v++)
            held[v] += value * row[v];
    }
#pragma GCC unroll 16
    for (int v = 0; v < vectors; v++)
        at[v] = held[v];
}

/* Adds the rows of a table that begins with `source` to the sums of some targets, which lie `step` apart, part by part.
 * The targets are neighbours in one group. */
INLINE void NAME(gather_all)(const Product *k, REAL *sums, int64_t step, const REAL *table, int64_t source,
                             int64_t first, int64_t last, int vectors)
{
    const NAME(Active) *active = k->active;
    int64_t to = source + k->length < k->sources ? source + k->length : k->sources;
    const int64_t *group = k->starts + first / k->grouped * k->group_step + first % k->grouped;
    for (int64_t c = source / k->chunk; c * k->chunk < to; c++) {
        const int64_t *start = group + c * k->chunk_step;
        for (int64_t t = 0; t < last - first; t++)
            NAME(gather)(sums + t * step, table, source, active + start[t], active + start[t + 1], vectors,
                         c == 0);
    }
}

/* The sums of targets first <= t < last for a block of n columns. */
INLINE void NAME(block)(const Product *k, int64_t first, int64_t last, int64_t column, int n, int vectors)
{
    int width = vectors * LANES, thread = omp_get_thread_num();
    REAL *table = (REAL *)k->tables + thread * k->length * VECTORS * LANES;
    REAL *sums = (REAL *)k->sums + thread * k->room * VECTORS * LANES;
    const int stays = k->transposed_out || k->length < k->sources; /* whether sums of all targets are held at once */
    for (int64_t source = 0; source < k->sources; source += k->length) {
        int64_t sources = k->sources - source < k->length ? k->sources - source : k->length;
        NAME(fill)(table, k, source, sources, column, n, width);
        for (int64_t t = first; t < last; t += GROUP) {
            int64_t end = last - t < GROUP ? last : t + GROUP;
            REAL *here = sums + (stays ? (t - first) * width : 0), *out = (REAL *)k->out + t * k->columns + column;
            if (n == width && !k->transposed_out && k->chunk >= k->sources) { /* a sum is made at once */
                NAME(gather_all)(k, out, k->columns, table, source, t, end, vectors);
                continue;
            }
            NAME(gather_all)(k, here, width, table, source, t, end, vectors);
            for (int64_t i = 0; !k->transposed_out && source + sources == k->sources && i < end - t; i++)
                memcpy(out + i * k->columns, here + i * width, n * sizeof(REAL));
        }
    }
    if (k->transposed_out)
        NAME(transpose)((REAL *)k->out + column * k->targets + first, k->targets, sums, width, n, last - first);
}

/* Each target's sum over its list of value x row of the factor. */
void NAME(product)(const Product *k)
{
    int width = VECTORS * LANES, threads = team(k->entries * k->columns, k->threads);
    int64_t blocks = (k->columns + width - 1) / width, parts = (threads + blocks - 1) / blocks;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t task = 0; task < blocks * parts; task++) {
        int64_t column = task / parts * width, part = task % parts;
        int64_t groups = (k->targets + GROUP - 1) / GROUP, first = groups * part / parts * GROUP;
        int64_t end = groups * (part + 1) / parts * GROUP, last = end < k->targets ? end : k->targets;
        int n = k->columns - column < width ? (int)(k->columns - column) : width;
        if (n <= LANES)
            NAME(block)(k, first, last, column, n, 1);
        else if (n <= 2 * LANES)
            NAME(block)(k, first, last, column, n, 2);
        else if (n <= VECTORS / 2 * LANES)
            NAME(block)(k, first, last, column, n, VECTORS / 2);
        else
            NAME(block)(k, first, last, column, n, VECTORS);
    }
}
