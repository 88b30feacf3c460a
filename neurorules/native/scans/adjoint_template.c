/* Reverse scans whose gates vary in time, and the way back through what a population sends itself, for one floating
 * type: REAL and NAME() come from scans.c. */

#define LANES ((int)(VECTOR_BYTES / sizeof(REAL)))
#define WIDTH (HELD * LANES)
#define ROWS 4 /* that share each row of weights which is read */

/* R[t] = post[t] + keep[t+1] R[t+1] and Q[t] = admit[t] R[t] + alpha Q[t+1], for a block of n neurons. */
static void NAME(adjoint_step)(const AdjointTask *k, int64_t t, int64_t at, int n, const REAL *restrict post,
                               REAL *restrict membrane, REAL *restrict current, const REAL *restrict alpha)
{
    if (t + 1 < k->steps) {
        const REAL *keep = (const REAL *)k->keep + (t + 1) * k->keep_stride + at;
        for (int i = 0; i < n; i++)
            membrane[i] = post[i] + keep[i] * membrane[i];
    } else
        memcpy(membrane, post, n * sizeof(REAL));
    if (k->admit) {
        const REAL *admit = (const REAL *)k->admit + t * k->admit_stride + at;
        for (int i = 0; i < n; i++)
            current[i] = admit[i] * membrane[i] + alpha[i] * current[i];
    }
}

static void NAME(adjoint_part)(const AdjointTask *k, int64_t start, int n)
{
    REAL membrane[BLOCK] = {0}, current[BLOCK] = {0}, alpha[BLOCK];
    int64_t plane = k->rows * k->neurons;
    NAME(spread)(alpha, k->alpha, k->alpha_size, start, n);
    for (int64_t t = k->steps - 1; t >= 0; t--) {
        const REAL *post = (const REAL *)k->post + t * k->post_stride + start;
        if (t && k->post_stride)
            fetch(post - plane, n * sizeof(REAL));
        NAME(adjoint_step)(k, t, start, n, post, membrane, current, alpha);
        if (k->membrane)
            memcpy((REAL *)k->membrane + t * plane + start, membrane, n * sizeof(REAL));
        if (k->current)
            memcpy((REAL *)k->current + t * plane + start, current, n * sizeof(REAL));
    }
}

void NAME(adjoint)(const AdjointTask *k)
{
    int64_t size = k->rows * k->neurons;
#pragma omp parallel for schedule(static) num_threads(team(size, k->steps, k->threads))
    for (int64_t start = 0; start < size; start += BLOCK)
        NAME(adjoint_part)(k, start, size - start < BLOCK ? (int)(size - start) : BLOCK);
}

/* Adds to `rows` rows of sums what their factors bring through a panel of weights, (neurons, WIDTH). */
INLINE void NAME(carry)(REAL *sum, int64_t sum_stride, const REAL *panel, const REAL *factor, int64_t neurons, int rows,
                        int n)
{
    for (int column = 0; column < n; column += WIDTH / 2) {
        NAME(Vector) held[ROWS][HELD / 2] = {0};
        REAL out[WIDTH / 2];
        for (int64_t o = 0; o < neurons; o++) {
            const NAME(Vector) *row = (const NAME(Vector) *)(panel + o * WIDTH + column);
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++) {
                REAL value = factor[r * neurons + o];
#pragma GCC unroll 8
                for (int v = 0; v < HELD / 2; v++)
                    held[r][v] += value * row[v];
            }
        }
        for (int r = 0; r < rows; r++) {
            int here = n - column < WIDTH / 2 ? n - column : WIDTH / 2;
            memcpy(out, held[r], sizeof out);
            for (int i = 0; i < here; i++)
                sum[r * sum_stride + column + i] += out[i];
        }
    }
}

/* Some rows backwards through all steps. R, Q, the derivative by the adaptation, the factors of the loop and the numbers
 * of the neurons stand in `k->state`, a plane each. */
static void NAME(loop_back_rows)(const AdjointTask *k, int64_t begin, int64_t end)
{
    int64_t plane = k->rows * k->neurons, n = k->neurons, length = (end - begin) * n, first = begin * n;
    REAL *membrane = (REAL *)k->state, *current = membrane + plane, *threshold = current + plane;
    REAL *factor = threshold + plane, *alpha = factor + plane, *rise = alpha + 2 * plane, *decay = rise + plane;
    for (int64_t t = k->steps - 1; t >= 0; t--) {
        REAL *total = (REAL *)k->total + t * plane;
        const REAL *psi = (const REAL *)k->psi + t * plane, *gain = alpha + plane;
        memcpy(total + first, (const REAL *)k->post + t * k->post_stride + first, length * sizeof(REAL));
        if (t + 1 < k->steps) {
            for (int64_t i = first; i < first + length; i++)
                factor[i] = current[i] * gain[i];
            for (int64_t column = 0; k->weights && column < n; column += WIDTH) {
                const REAL *panel = (const REAL *)k->weights + column * n;
                int here = n - column < WIDTH ? (int)(n - column) : WIDTH;
                int64_t row = begin;
                for (; row + ROWS <= end; row += ROWS)
                    NAME(carry)(total + row * n + column, n, panel, factor + row * n, n, ROWS, here);
                for (; row < end; row++)
                    NAME(carry)(total + row * n + column, n, panel, factor + row * n, n, 1, here);
            }
        }
        for (int64_t i = first; i < first + length; i++) {
            total[i] += threshold[i];
            factor[i] = total[i] * psi[i];
            threshold[i] = decay[i] * threshold[i] - rise[i] * factor[i];
        }
        for (int64_t at = first; at < first + length; at += BLOCK) {
            int here = first + length - at < BLOCK ? (int)(first + length - at) : BLOCK;
            NAME(adjoint_step)(k, t, at, here, factor + at, membrane + at, current + at, alpha + at);
        }
    }
}

void NAME(loop_back)(const AdjointTask *k)
{
    int64_t plane = k->rows * k->neurons;
    int parts = team(plane, k->steps, k->threads);
    REAL *state = (REAL *)k->state;
    memset(state, 0, 3 * plane * sizeof(REAL));
    for (int64_t row = 0; row < k->rows; row++) {
        REAL *numbers = state + 4 * plane + row * k->neurons;
        NAME(spread)(numbers, k->alpha, k->alpha_size, 0, (int)k->neurons);
        NAME(spread)(numbers + plane, k->gain, k->gain_size, 0, (int)k->neurons);
        NAME(spread)(numbers + 2 * plane, k->rise, k->rise_size, 0, (int)k->neurons);
        NAME(spread)(numbers + 3 * plane, k->decay, k->decay_size, 0, (int)k->neurons);
    }
#pragma omp parallel for schedule(static, 1) num_threads(parts)
    for (int part = 0; part < parts; part++)
        NAME(loop_back_rows)(k, k->rows * part / parts, k->rows * (part + 1) / parts);
}

#undef WIDTH
#undef LANES
#undef ROWS
