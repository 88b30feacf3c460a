/* Included by events.c, once a floating type. */

typedef struct {
    REAL value;
    int32_t index; /* of the source */
} NAME(Active);

typedef REAL NAME(Vector) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));

typedef REAL NAME(Four) __attribute__((vector_size(4 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));

#define LANES ((int)(VECTOR_BYTES / sizeof(REAL)))

int64_t NAME(width)(void)
{
    return VECTORS * LANES;
}

/* One bit for each of n <= 64 values: whether it is not 0. */
INLINE uint64_t NAME(bits)(const REAL *value, int n)
{
    uint8_t flag[64] = {0};
    uint64_t bits = 0, bytes[8];
#ifdef MASK
    if (n == 64) {
#pragma GCC unroll 16
        for (int i = 0; i < 64; i += LANES)
            bits |= (uint64_t)MASK(*(const NAME(Vector) *)(value + i)) << i;
        return bits;
    }
#endif
    if (n == 64)
        for (int i = 0; i < 64; i++)
            flag[i] = value[i] != 0;
    else
        for (int i = 0; i < n; i++)
            flag[i] = value[i] != 0;
    memcpy(bytes, flag, 64);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) /* gathers the lowest bits of eight bytes */
        bits |= (bytes[i] * 0x0102040810204080 >> 56) << 8 * i;
    return bits;
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
            count = NAME(append)(active + room, count, value, from, to);
        }
        start[chunks] = room + count;
        if (count > limit)
            return 0;
    }
    return 1;
}

/* Whether one row of each SAMPLED holds half as many non-zero values again as `limit` allows. */
static int NAME(overfull)(const REAL *values, int64_t rows, int64_t columns, int64_t limit)
{
    int64_t count = 0, looked_at = 0;
    for (int64_t row = 0; row < rows; row += SAMPLED, looked_at++) {
        int32_t here = 0; /* a row has fewer columns than an int32_t counts: its indices are such numbers */
        for (int64_t i = 0; i < columns; i++)
            here += values[row * columns + i] != 0;
        count += here;
    }
    return looked_at >= SAMPLED && 2.0 * count * rows > 3.0 * limit * looked_at;
}

/* Lists the non-zero values of a matrix, each thread in room of its own for `limit` of them, a row and eight.
 * Returns how many there are; -1 for more than `limit`, in a sample of rows or in all, whatever the number of threads. */
int64_t NAME(list)(const REAL *values, int64_t rows, int64_t columns, int64_t chunk, int64_t limit, int64_t *starts,
                   NAME(Active) *active, int32_t threads)
{
    int64_t chunks = (columns + chunk - 1) / chunk, total = 0;
    int parts = team(rows * columns, threads), few = 1;
    if (NAME(overfull)(values, rows, columns, limit))
        return -1;
#pragma omp parallel for schedule(static, 1) num_threads(parts) reduction(+ : total) reduction(&& : few)
    for (int part = 0; part < parts; part++) {
        int64_t first = rows * part / parts, last = rows * (part + 1) / parts, room = part * (limit + columns + 8);
        int fits = NAME(list_rows)(values, first, last, columns, chunk, limit, starts, active, room);
        few = few && fits;
        if (fits && first < last)
            total += starts[(last - 1) * (chunks + 1) + chunks] - room;
    }
    return few && total <= limit ? total : -1;
}

/* The lists of a matrix's columns, chunk by chunk of `length` rows, from those of its rows. `starts` has columns + 1
 * places for each chunk, of which the last one is where its lists end. */
void NAME(turn)(const int64_t *row_starts, const NAME(Active) *in_rows, int64_t rows, int64_t columns, int64_t row_step,
                int64_t length, int64_t *starts, NAME(Active) *in_columns, int32_t threads)
{
    int64_t pieces = (rows + length - 1) / length, base = 0;
    for (int64_t piece = 0; piece < pieces; piece++) { /* where the lists of each chunk begin */
        starts[piece * (columns + 1) + columns] = base;
        for (int64_t r = piece * length; r < rows && r < (piece + 1) * length; r++)
            base += row_starts[(r + 1) * row_step - 1] - row_starts[r * row_step];
    }
#pragma omp parallel for schedule(static) num_threads(team(base, threads))
    for (int64_t piece = 0; piece < pieces; piece++) {
        int64_t *place = starts + piece * (columns + 1), first = piece * length, at = place[columns];
        int64_t last = first + length < rows ? first + length : rows;
        memset(place, 0, columns * sizeof *place);
        for (int64_t r = first; r < last; r++)
            for (int64_t e = row_starts[r * row_step]; e < row_starts[(r + 1) * row_step - 1]; e++)
                place[in_rows[e].index]++;
        for (int64_t i = 0; i < columns; i++) { /* lengths become ends of the lists, filled from behind */
            at += place[i];
            place[i] = at;
        }
        place[columns] = at;
        for (int64_t r = last; r-- > first;)
            for (int64_t e = row_starts[(r + 1) * row_step - 1]; e-- > row_starts[r * row_step];)
                in_columns[--place[in_rows[e].index]] = (NAME(Active)){in_rows[e].value, (int32_t)r};
    }
}

/* out[i][j] = in[j][i] for i, j < 4, in registers where the compiler has shuffles. */
INLINE void NAME(transpose_4)(REAL *out, int64_t out_stride, const REAL *in, int64_t in_stride)
{
#if HAVE_SHUFFLE
    NAME(Four) a[4], b[4];
    for (int i = 0; i < 4; i++)
        a[i] = *(const NAME(Four) *)(in + i * in_stride);
    b[0] = __builtin_shufflevector(a[0], a[1], 0, 4, 2, 6);
    b[1] = __builtin_shufflevector(a[0], a[1], 1, 5, 3, 7);
    b[2] = __builtin_shufflevector(a[2], a[3], 0, 4, 2, 6);
    b[3] = __builtin_shufflevector(a[2], a[3], 1, 5, 3, 7);
    a[0] = __builtin_shufflevector(b[0], b[2], 0, 1, 4, 5);
    a[1] = __builtin_shufflevector(b[1], b[3], 0, 1, 4, 5);
    a[2] = __builtin_shufflevector(b[0], b[2], 2, 3, 6, 7);
    a[3] = __builtin_shufflevector(b[1], b[3], 2, 3, 6, 7);
    for (int i = 0; i < 4; i++)
        *(NAME(Four) *)(out + i * out_stride) = a[i];
#else
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            out[i * out_stride + j] = in[j * in_stride + i];
#endif
}

/* out[i][j] = in[j][i] for i < rows, j < columns, a line of the cache of each column of `in` at a time. */
static void NAME(transpose)(REAL *out, int64_t out_stride, const REAL *in, int64_t in_stride, int64_t rows,
                            int64_t columns)
{
    for (int64_t line = 0; line < rows; line += TILE) {
        int64_t end = rows - line < TILE ? rows : line + TILE, whole = line + (end - line) / 4 * 4, j = 0;
        for (; j + 4 <= columns; j += 4) {
            for (int64_t i = line; i < whole; i += 4)
                NAME(transpose_4)(out + i * out_stride + j, out_stride, in + j * in_stride + i, in_stride);
            for (int64_t i = whole; i < end; i++)
                for (int64_t c = j; c < j + 4; c++)
                    out[i * out_stride + c] = in[c * in_stride + i];
        }
        for (; j < columns; j++)
            for (int64_t i = line; i < end; i++)
                out[i * out_stride + j] = in[j * in_stride + i];
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

/* Adds the rows of a table that begins with `source` to the sums of targets first <= t < last, which lie `step` apart,
 * part by part. */
INLINE void NAME(gather_all)(const Product *k, REAL *sums, int64_t step, const REAL *table, int64_t source,
                             int64_t first, int64_t last, int vectors)
{
    const NAME(Active) *active = k->active;
    int64_t to = source + k->length < k->sources ? source + k->length : k->sources;
    int64_t chunks = (to + k->chunk - 1) / k->chunk;
    for (int64_t c = source / k->chunk; c < chunks; c += k->span) {
        const int64_t *from = k->starts + c * k->chunk_step;
        const int64_t *end = k->starts + ((c + k->span < chunks ? c + k->span : chunks) - 1) * k->chunk_step + 1;
        for (int64_t t = first; t < last; t++)
            NAME(gather)(sums + (t - first) * step, table, source, active + from[t * k->target_step],
                         active + end[t * k->target_step], vectors, c == 0);
    }
}

/* The sums of targets first <= t < last for a block of n columns: where they belong, or in room for whole vectors. */
INLINE void NAME(block)(const Product *k, int64_t first, int64_t last, int64_t column, int n, int vectors)
{
    int width = vectors * LANES, thread = omp_get_thread_num();
    REAL *table = (REAL *)k->tables + thread * k->length * VECTORS * LANES, here[TOGETHER * VECTORS * LANES];
    REAL *sums = (REAL *)k->sums + thread * k->targets * VECTORS * LANES;
    for (int64_t source = 0; source < k->sources; source += k->length) {
        int64_t sources = k->sources - source < k->length ? k->sources - source : k->length;
        NAME(fill)(table, k, source, sources, column, n, width);
        for (int64_t t = first; t < last; t += TOGETHER) {
            int64_t end = last - t < TOGETHER ? last : t + TOGETHER;
            REAL *out = (REAL *)k->out + t * k->columns + column;
            if (k->transposed_out) {
                NAME(gather_all)(k, sums + (t - first) * width, width, table, source, t, end, vectors);
                continue;
            }
            if (n == width) {
                NAME(gather_all)(k, out, k->columns, table, source, t, end, vectors);
                continue;
            }
            for (int64_t i = 0; source > 0 && i < end - t; i++)
                memcpy(here + i * width, out + i * k->columns, n * sizeof(REAL));
            NAME(gather_all)(k, here, width, table, source, t, end, vectors);
            for (int64_t i = 0; i < end - t; i++)
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
        int64_t first = k->targets * part / parts, last = k->targets * (part + 1) / parts;
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

#undef LANES
