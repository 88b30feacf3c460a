/* Included by each of the kernels of this folder, once a floating type, after vectors.c. */

typedef REAL NAME(Vector) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));

typedef REAL NAME(Four) __attribute__((vector_size(4 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));

#undef LANES
#define LANES ((int)(VECTOR_BYTES / sizeof(REAL)))

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
    int whole = n / LANES * LANES;
    for (int i = 0; i < whole; i += LANES)
        bits |= (uint64_t)MASK(*(const NAME(Vector) *)(value + i)) << i;
    for (int i = whole; i < n; i++)
        bits |= (uint64_t)(value[i] != 0) << i;
    return bits;
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

/* out[i][j] = in[j][i] for i, j < 4, in registers where the compiler has shuffles. */
INLINE void NAME(transpose_4)(REAL *out, int64_t out_stride, const REAL *in, int64_t in_stride)
{
#if HAVE_SHUFFLE
    NAME(Four) a[4], b[4];
    for (int i = 0; i < 4; i++)
        a[i] = *(const NAME(Four) *)(in + i * in_stride);
    b[0] = __builtin_shufflevector(a[0], a[1], 0, 4, 1, 5);
    b[1] = __builtin_shufflevector(a[0], a[1], 2, 6, 3, 7);
    b[2] = __builtin_shufflevector(a[2], a[3], 0, 4, 1, 5);
    b[3] = __builtin_shufflevector(a[2], a[3], 2, 6, 3, 7);
    a[0] = __builtin_shufflevector(b[0], b[2], 0, 1, 4, 5);
    a[1] = __builtin_shufflevector(b[0], b[2], 2, 3, 6, 7);
    a[2] = __builtin_shufflevector(b[1], b[3], 0, 1, 4, 5);
    a[3] = __builtin_shufflevector(b[1], b[3], 2, 3, 6, 7);
    for (int i = 0; i < 4; i++)
        *(NAME(Four) *)(out + i * out_stride) = a[i];
#else
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            out[i * out_stride + j] = in[j * in_stride + i];
#endif
}

/* out[i][j] = in[j][i] for top <= i < low and left <= j < right, four by four; the last four begin earlier where there
 * are no more of them. */
INLINE void NAME(transpose_tile)(REAL *out, int64_t out_stride, const REAL *in, int64_t in_stride, int64_t top,
                                 int64_t low, int64_t left, int64_t right)
{
    if (low - top < 4 || right - left < 4) {
        for (int64_t i = top; i < low; i++)
            for (int64_t j = left; j < right; j++)
                out[i * out_stride + j] = in[j * in_stride + i];
        return;
    }
    for (int64_t i = top; i < low; i += 4)
        for (int64_t j = left; j < right; j += 4) {
            int64_t row = i < low - 4 ? i : low - 4, column = j < right - 4 ? j : right - 4;
            NAME(transpose_4)(out + row * out_stride + column, out_stride, in + column * in_stride + row, in_stride);
        }
}

/* out[i][j] = in[j][i] for i < rows, j < columns, some lines of the cache at a time, which follow each other in the
 * matrix whose rows lie further apart. */
static void NAME(transpose)(REAL *out, int64_t out_stride, const REAL *in, int64_t in_stride, int64_t rows,
                            int64_t columns)
{
    int64_t down = (rows + TILE - 1) / TILE, across = (columns + TILE - 1) / TILE;
    for (int64_t tile = 0; tile < down * across; tile++) {
        int64_t top = (in_stride > out_stride ? tile % down : tile / across) * TILE;
        int64_t left = (in_stride > out_stride ? tile / down : tile % across) * TILE;
        int64_t low = rows - top < TILE ? rows : top + TILE, right = columns - left < TILE ? columns : left + TILE;
        NAME(transpose_tile)(out, out_stride, in, in_stride, top, low, left, right);
    }
}

/* Four vectors whose fours are transposed: out[i][4 q + j] = in[j][4 q + i] for i, j < 4 and each four q. */
#undef HAVE_FOURS
#if HAVE_SHUFFLE && VECTOR_BYTES >= 4 * REAL_BYTES
#define HAVE_FOURS 1
INLINE void NAME(transpose_fours)(NAME(Vector) *a)
{
    NAME(Vector) b[4];
#if VECTOR_BYTES == 16 * REAL_BYTES
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define HIGH(a, b) __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define FRONT(a, b) __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define BACK(a, b) __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#elif VECTOR_BYTES == 8 * REAL_BYTES
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define HIGH(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define FRONT(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define BACK(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#else
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define FRONT(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define BACK(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)
#endif
    b[0] = LOW(a[0], a[1]), b[1] = HIGH(a[0], a[1]), b[2] = LOW(a[2], a[3]), b[3] = HIGH(a[2], a[3]);
    a[0] = FRONT(b[0], b[2]), a[1] = BACK(b[0], b[2]), a[2] = FRONT(b[1], b[3]), a[3] = BACK(b[1], b[3]);
#undef LOW
#undef HIGH
#undef FRONT
#undef BACK
}

/* A vector of fours that lie apart. */
INLINE NAME(Vector) NAME(join)(const REAL *in, int64_t stride)
{
#if VECTOR_BYTES == 4 * REAL_BYTES
    return *(const NAME(Vector) *)in;
#else
#define TWO(at) \
    __builtin_shufflevector(*(const NAME(Four) *)(at), *(const NAME(Four) *)((at) + stride), 0, 1, 2, 3, 4, 5, 6, 7)
#if VECTOR_BYTES == 8 * REAL_BYTES
    return TWO(in);
#else
    return __builtin_shufflevector(TWO(in), TWO(in + 2 * stride), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#endif
#undef TWO
#endif
}
#endif

#if HAVE_FOURS
/* out[i][j] = in[j][i] for i < LANES, j < 4 fours. Each row of `out` is written at once: rows may lie so far apart that
 * few of them stay in a cache together. */
INLINE void NAME(fours_to_columns)(REAL *out, int64_t out_stride, const REAL *in, int64_t in_stride, int fours)
{
    NAME(Vector) a[4][4];
    for (int four = 0; four < fours; four++) {
        for (int n = 0; n < 4; n++)
            a[four][n] = *(const NAME(Vector) *)(in + (4 * four + n) * in_stride);
        NAME(transpose_fours)(a[four]);
    }
#pragma GCC unroll 16
    for (int n = 0; n < LANES; n++)
        for (int four = 0; four < fours; four++)
            memcpy(out + n * out_stride + 4 * four, (const REAL *)(a[four] + n % 4) + n / 4 * 4, 4 * sizeof(REAL));
}
#endif

/* out[i][j] = in[j][i] for i < rows, j < columns, where rows of `in` are whole vectors for the most part. */
INLINE void NAME(to_columns)(REAL *out, int64_t out_stride, const REAL *in, int64_t in_stride, int64_t rows,
                             int64_t columns)
{
    int64_t i = 0;
#if HAVE_FOURS
    for (; columns >= 4 && i + LANES <= rows; i += LANES) {
        int64_t j = 0;
        for (; j + 16 <= columns; j += 16)
            NAME(fours_to_columns)(out + i * out_stride + j, out_stride, in + j * in_stride + i, in_stride, 4);
        for (; j < columns; j += 4) { /* the last four may overlap */
            int64_t column = j < columns - 4 ? j : columns - 4;
            NAME(fours_to_columns)(out + i * out_stride + column, out_stride, in + column * in_stride + i, in_stride, 1);
        }
    }
#endif
    if (i < rows)
        NAME(transpose_tile)(out, out_stride, in, in_stride, i, rows, 0, columns);
}

/* out[j][i] = in[i][j] for i < rows, j < columns, where rows of `out` are whole vectors for the most part. */
INLINE void NAME(from_columns)(REAL *out, int64_t out_stride, const REAL *in, int64_t in_stride, int64_t rows,
                               int64_t columns)
{
    int64_t i = 0;
#if HAVE_FOURS
    for (; columns >= 4 && i + LANES <= rows; i += LANES)
        for (int64_t j = 0; j < columns; j += 4) {
            int64_t column = j < columns - 4 ? j : columns - 4;
            NAME(Vector) a[4];
            for (int n = 0; n < 4; n++)
                a[n] = NAME(join)(in + (i + n) * in_stride + column, 4 * in_stride);
            NAME(transpose_fours)(a);
            for (int n = 0; n < 4; n++)
                *(NAME(Vector) *)(out + (column + n) * out_stride + i) = a[n];
        }
#endif
    if (i < rows)
        NAME(transpose_tile)(out, out_stride, in, in_stride, 0, columns, i, rows);
}
