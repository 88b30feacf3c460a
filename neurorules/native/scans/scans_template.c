/* The forward scan for one floating type: REAL and NAME() come from scans.c. */

/* A parameter is one number for all neurons, or one a neuron: spread it over the block. */
static void NAME(spread)(REAL *to, const void *from, int64_t length, int64_t start, int n)
{
    const REAL *p = from;
    if (length == 1) {
        for (int i = 0; i < n; i++)
            to[i] = *p;
        return;
    }
    int64_t at = start % length;
    for (int done = 0; done < n;) {
        int piece = length - at < n - done ? (int)(length - at) : n - done;
        memcpy(to + done, p + at, piece * sizeof(REAL));
        done += piece;
        at = 0;
    }
}

static void NAME(load)(REAL *to, const void *from, int n)
{
    if (from)
        memcpy(to, from, n * sizeof(REAL));
    else
        memset(to, 0, n * sizeof(REAL));
}

static void NAME(add)(REAL *restrict sum, const REAL *restrict x, int n)
{
    for (int i = 0; i < n; i++)
        sum[i] += x[i];
}

/* (current - shift - mean) * gain + bias, each rounded as torch rounds it; a part that is not there changes nothing. */
typedef struct {
    REAL shift[BLOCK], mean[BLOCK], gain[BLOCK], bias[BLOCK];
    int any;
} NAME(AffineBlock);

static void NAME(part)(REAL *to, const void *from, int64_t length, REAL otherwise, int64_t start, int n)
{
    NAME(spread)(to, from ? from : &otherwise, from ? length : 1, start, n);
}

static void NAME(affine_load)(NAME(AffineBlock) *a, const Affine *k, int64_t start, int n)
{
    a->any = k->shift || k->gain || k->bias;
    NAME(part)(a->shift, k->shift, k->shift_size, 0, start, n);
    NAME(part)(a->mean, k->mean, k->mean_size, 0, start, n);
    NAME(part)(a->gain, k->gain, k->gain_size, 1, start, n);
    NAME(part)(a->bias, k->bias, k->bias_size, 0, start, n);
}

INLINE void NAME(affine_loop)(REAL *restrict to, const REAL *restrict current, const NAME(AffineBlock) *restrict a,
                              REAL *restrict sum, REAL *restrict square, int n, int moments)
{
    for (int i = 0; i < n; i++) {
        REAL shifted = current[i] - a->shift[i];
        if (moments) {
            sum[i] += shifted;
            square[i] += shifted * shifted;
        }
        to[i] = (shifted - a->mean[i]) * a->gain[i] + a->bias[i];
    }
}

/* The map of a current, whose shifted values and their squares are added to sums where there are some. */
static const REAL *NAME(affine)(REAL *to, const REAL *current, const NAME(AffineBlock) *a, REAL *sum, REAL *square,
                                int n)
{
    if (sum)
        NAME(affine_loop)(to, current, a, sum, square, n, 1);
    else if (a->any)
        NAME(affine_loop)(to, current, a, 0, 0, n, 0);
    else
        return current;
    return to;
}

/* One step. `reset` and `delay` are constants at each call, so no branch is left. */
INLINE void NAME(advance)(REAL *restrict u, const REAL *restrict current, const REAL *restrict beta,
                          const REAL *restrict threshold, REAL *restrict v, REAL *restrict spikes,
                          int n, int reset, int delay)
{
    for (int i = 0; i < n; i++) {
        REAL late = u[i] > threshold[i] ? (REAL)1 : (REAL)0;
        REAL before = reset == ZERO ? (1 - late) * u[i] : u[i];
        REAL m = beta[i] * before + current[i];
        if (reset == SUBTRACT)
            m = m - late * threshold[i];
        REAL fired = m > threshold[i] ? (REAL)1 : (REAL)0;
        v[i] = m;
        spikes[i] = fired;
        if (delay || reset == NONE)
            u[i] = m;
        else if (reset == SUBTRACT)
            u[i] = m - (fired - late) * threshold[i];
        else
            u[i] = m - (fired - late) * m;
    }
}

static void NAME(store_spikes)(void *to, int64_t at, const REAL *spikes, int n, int storage)
{
    if (storage == BYTE) {
        uint8_t *out = (uint8_t *)to + at;
        for (int i = 0; i < n; i++)
            out[i] = spikes[i] != 0;
    } else {
        uint16_t *out = (uint16_t *)to + at;
        for (int i = 0; i < n; i++)
            out[i] = spikes[i] != 0 ? BFLOAT16_ONE : 0;
    }
}

static void NAME(add_positive)(REAL *restrict sum, const REAL *restrict v, int n)
{
    for (int i = 0; i < n; i++)
        sum[i] += v[i] < 0 ? (REAL)0 : v[i]; /* this way round a NaN stays one */
}

/* H(z), the primitive of the surrogate's shape h, which is odd. */
INLINE void NAME(add_primitive)(REAL *restrict sum, const REAL *restrict v, const REAL *restrict threshold,
                                REAL slope, int n, int shape)
{
    for (int i = 0; i < n; i++) {
        REAL z = slope * (v[i] - threshold[i]);
        REAL low = z < -1 ? (REAL)-1 : z, y = low > 1 ? (REAL)1 : low;
        REAL size = z < 0 ? -z : z, inside = y < 0 ? -y : y;
        if (shape == BOXCAR)
            sum[i] += y;
        else if (shape == TRIANGLE)
            sum[i] += y - y * inside / 2;
        else
            sum[i] += z / (1 + size);
    }
}

static void NAME(add_total)(REAL *sum, const REAL *v, const REAL *threshold, const ScanTask *k, int n)
{
    REAL slope = (REAL)k->slope;
    if (k->summed == POSITIVE_V)
        NAME(add_positive)(sum, v, n);
    else if (k->shape == BOXCAR)
        NAME(add_primitive)(sum, v, threshold, slope, n, BOXCAR);
    else if (k->shape == TRIANGLE)
        NAME(add_primitive)(sum, v, threshold, slope, n, TRIANGLE);
    else
        NAME(add_primitive)(sum, v, threshold, slope, n, FAST_SIGMOID);
}

INLINE void NAME(scan_block)(const ScanTask *k, int64_t start, int n, int reset, int delay)
{
    REAL u[BLOCK], beta[BLOCK], threshold[BLOCK], v_here[BLOCK], spikes_here[BLOCK], drive[BLOCK];
    REAL total[BLOCK] = {0}, spike_total[BLOCK] = {0}, current_sum[BLOCK] = {0}, square_sum[BLOCK] = {0};
    NAME(AffineBlock) affine;
    int in_place = k->spikes && k->storage == SAME;
    NAME(spread)(beta, k->beta, k->beta_size, start, n);
    NAME(spread)(threshold, k->threshold, k->threshold_size, start, n);
    NAME(affine_load)(&affine, &k->affine, start, n);
    NAME(load)(u, k->u0 ? (const REAL *)k->u0 + start : 0, n);
    for (int64_t t = 0; t < k->steps; t++) {
        int64_t at = t * k->size + start;
        const REAL *current = (const REAL *)k->current + t * k->current_stride + start;
        REAL *v = k->v ? (REAL *)k->v + at : v_here;
        REAL *spikes = in_place ? (REAL *)k->spikes + at : spikes_here;
        if (t + 1 < k->steps) {
            if (k->current_stride)
                fetch(current + k->current_stride, n * sizeof(REAL));
            if (k->v)
                fetch_to_write(v + k->size, n * sizeof(REAL));
            if (in_place)
                fetch_to_write(spikes + k->size, n * sizeof(REAL));
        }
        current = NAME(affine)(drive, current, &affine, k->current_sum ? current_sum : 0, square_sum, n);
        NAME(advance)(u, current, beta, threshold, v, spikes, n, reset, delay);
        if (k->spikes && !in_place)
            NAME(store_spikes)(k->spikes, at, spikes, n, k->storage);
        if (k->spike_total)
            NAME(add)(spike_total, spikes, n);
        if (k->total)
            NAME(add_total)(total, v, threshold, k, n);
    }
    memcpy((REAL *)k->u + start, u, n * sizeof(REAL));
    if (k->spike_total)
        memcpy((REAL *)k->spike_total + start, spike_total, n * sizeof(REAL));
    if (k->total)
        memcpy((REAL *)k->total + start, total, n * sizeof(REAL));
    if (k->current_sum) {
        memcpy((REAL *)k->current_sum + start, current_sum, n * sizeof(REAL));
        memcpy((REAL *)k->square_sum + start, square_sum, n * sizeof(REAL));
    }
}

static int NAME(scan_in_pieces)(const ScanTask *k);

void NAME(scan)(const ScanTask *k)
{
    if (NAME(scan_in_pieces)(k))
        return;
#pragma omp parallel for schedule(static) num_threads(team(k->size, k->steps, k->threads))
    for (int64_t start = 0; start < k->size; start += BLOCK) {
        int n = k->size - start < BLOCK ? (int)(k->size - start) : BLOCK;
        if (k->reset == NONE)
            NAME(scan_block)(k, start, n, NONE, 0);
        else if (k->reset == SUBTRACT && k->delay)
            NAME(scan_block)(k, start, n, SUBTRACT, 1);
        else if (k->reset == SUBTRACT)
            NAME(scan_block)(k, start, n, SUBTRACT, 0);
        else if (k->delay)
            NAME(scan_block)(k, start, n, ZERO, 1);
        else
            NAME(scan_block)(k, start, n, ZERO, 0);
    }
}
