/* Included by events.c, once a floating type. */

typedef struct {
    REAL value;
    int32_t index; /* of the source within its chunk */
} NAME(Active);

typedef REAL NAME(Vector) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));

#define LANES ((int)(VECTOR_BYTES / sizeof(REAL)))

int64_t NAME(width)(void)
{
    return VECTORS * LANES;
}

/* Lists of the non-zero values of some rows, chunk by chunk of columns; false once there are more than `limit`. */
static int NAME(list_rows)(const REAL *values, int64_t first, int64_t last, int64_t columns, int64_t chunk, int64_t limit,
                           int64_t *starts, NAME(Active) *active, int64_t room)
{
    int64_t chunks = (columns + chunk - 1) / chunk, count = 0;
    for (int64_t row = first; row < last; row++) {
        const REAL *value = values + row * columns;
        int64_t *start = starts + row * (chunks + 1);
        for (int64_t c = 0; c < chunks; c++) {
            int64_t from = c * chunk, to = from + chunk < columns ? from + chunk : columns;
            start[c] = room + count;
            for (int64_t i = from; i < to; i++) { /* no branch: a value that is 0 is written over by the next one */
                active[room + count] = (NAME(Active)){value[i], (int32_t)(i - from)};
                count += value[i] != 0;
            }
        }
        start[chunks] = room + count;
        if (count > limit)
            return 0;
    }
    return 1;
}

/* Lists the non-zero values of a matrix, each thread in room of its own for `limit` of them and one row more.
 * Returns how many there are; -1 for more than `limit`, whatever the number of threads. */
int64_t NAME(list)(const REAL *values, int64_t rows, int64_t columns, int64_t chunk, int64_t limit, int64_t *starts,
                   NAME(Active) *active, int32_t threads)
{
    int64_t chunks = (columns + chunk - 1) / chunk, total = 0;
    int parts = team(rows * columns, threads), few = 1;
#pragma omp parallel for schedule(static, 1) num_threads(parts) reduction(+ : total) reduction(&& : few)
    for (int part = 0; part < parts; part++) {
        int64_t first = rows * part / parts, last = rows * (part + 1) / parts, room = part * (limit + columns + 1);
        int fits = NAME(list_rows)(values, first, last, columns, chunk, limit, starts, active, room);
        few = few && fits;
        if (fits && first < last)
            total += starts[(last - 1) * (chunks + 1) + chunks] - room;
    }
    return few && total <= limit ? total : -1;
}

/* The lists of a matrix's columns, chunk by chunk of `length` rows, from those of its rows. `starts` has columns + 1
 * places for each chunk, of which the last one is where its lists end. */
void NAME(turn)(const int64_t *row_starts, const NAME(Active) *in_rows, int64_t rows, int64_t columns, int64_t chunk,
                int64_t length, int64_t *starts, NAME(Active) *in_columns, int32_t threads)
{
    int64_t chunks = (columns + chunk - 1) / chunk, pieces = (rows + length - 1) / length, base = 0;
    for (int64_t piece = 0; piece < pieces; piece++) { /* where the lists of each chunk begin */
        starts[piece * (columns + 1) + columns] = base;
        for (int64_t r = piece * length; r < rows && r < (piece + 1) * length; r++)
            base += row_starts[r * (chunks + 1) + chunks] - row_starts[r * (chunks + 1)];
    }
#pragma omp parallel for schedule(static) num_threads(team(base, threads))
    for (int64_t piece = 0; piece < pieces; piece++) {
        int64_t *place = starts + piece * (columns + 1), first = piece * length, at = place[columns];
        int64_t last = first + length < rows ? first + length : rows;
        memset(place, 0, columns * sizeof *place);
        for (int64_t r = first; r < last; r++)
            for (int64_t c = 0; c < chunks; c++) {
                const int64_t *from = row_starts + r * (chunks + 1) + c;
                for (int64_t e = from[0]; e < from[1]; e++)
                    place[c * chunk + in_rows[e].index]++;
            }
        for (int64_t i = 0; i < columns; i++) { /* lengths become ends of the lists, filled from behind */
            at += place[i];
            place[i] = at;
        }
        place[columns] = at;
        for (int64_t r = last; r-- > first;)
            for (int64_t c = chunks; c-- > 0;) {
                const int64_t *from = row_starts + r * (chunks + 1) + c;
                for (int64_t e = from[1]; e-- > from[0];)
                    in_columns[--place[c * chunk + in_rows[e].index]] =
                        (NAME(Active)){in_rows[e].value, (int32_t)(r - first)};
            }
    }
}

/* out[i][j] = in[j][i] for i < rows, j < columns, in squares that fit the first-level cache. */
static void NAME(transpose)(REAL *out, int64_t out_stride, const REAL *in, int64_t in_stride, int64_t rows,
                            int64_t columns)
{
    for (int64_t i = 0; i < rows; i += TILE)
        for (int64_t j = 0; j < columns; j += TILE) {
            int64_t m = rows - i < TILE ? rows - i : TILE, n = columns - j < TILE ? columns - j : TILE;
            for (int64_t a = 0; a < m; a++)
                for (int64_t b = 0; b < n; b++)
                    out[(i + a) * out_stride + j + b] = in[(j + b) * in_stride + i + a];
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
    for (int64_t s = 0; s < sources; s++)
        memcpy(table + s * width, factor + (source + s) * k->columns + column, n * sizeof(REAL));
}

/* Adds to a sum, or begins one with, the rows of a table that a list names. `vectors` is a constant of the compiler. */
INLINE void NAME(gather)(REAL *sum, const REAL *table, const NAME(Active) *active, int64_t count, int more, int vectors)
{
    NAME(Vector) held[VECTORS], *at = (NAME(Vector) *)sum;
#pragma GCC unroll 16
    for (int v = 0; v < vectors; v++)
        held[v] = more ? at[v] : (NAME(Vector)){0};
    for (int64_t e = 0; e < count; e++) {
        const NAME(Vector) *row = (const NAME(Vector) *)(table + (int64_t)active[e].index * (vectors * LANES));
        REAL value = active[e].value;
#pragma GCC unroll 16
        for (int v = 0; v < vectors; v++)
            held[v] += value * row[v];
    }
#pragma GCC unroll 16
    for (int v = 0; v < vectors; v++)
        at[v] = held[v];
}

/* The sums of targets first <= t < last for a block of n columns; a width that is not full is summed beside `out`. */
INLINE void NAME(block)(const Product *k, int64_t first, int64_t last, int64_t column, int n, int vectors)
{
    int width = vectors * LANES, thread = omp_get_thread_num();
    REAL *table = (REAL *)k->tables + thread * k->chunk * VECTORS * LANES;
    REAL *sums = (REAL *)k->sums + thread * k->targets * VECTORS * LANES;
    REAL beside[VECTORS * LANES];
    const NAME(Active) *active = k->active;
    for (int64_t source = 0, c = 0; source < k->sources; source += k->chunk, c++) {
        int64_t sources = k->sources - source < k->chunk ? k->sources - source : k->chunk;
        NAME(fill)(table, k, source, sources, column, n, width);
        for (int64_t t = first; t < last; t++) {
            const int64_t *start = k->starts + t * k->target_step + c * k->chunk_step;
            REAL *out = (REAL *)k->out + t * k->columns + column;
            REAL *sum = k->transposed_out ? sums + (t - first) * width : n < width ? beside : out;
            if (sum == beside && c > 0)
                memcpy(beside, out, n * sizeof(REAL));
            NAME(gather)(sum, table, active + start[0], start[1] - start[0], c > 0, vectors);
            if (sum == beside)
                memcpy(out, beside, n * sizeof(REAL));
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
        int64_t first = k->targets * part / parts, last = k->targets * (part + 1) / parts;
        int n = k->columns - column < width ? (int)(k->columns - column) : width;
        if (n <= LANES)
            NAME(block)(k, first, last, column, n, 1);
        else if (n <= 2 * LANES)
            NAME(block)(k, first, last, column, n, 2);
        else if (n <= 4 * LANES)
            NAME(block)(k, first, last, column, n, 4);
        else if (n <= VECTORS / 2 * LANES)
            NAME(block)(k, first, last, column, n, VECTORS / 2);
        else
            NAME(block)(k, first, last, column, n, VECTORS);
    }
}

#undef LANES
