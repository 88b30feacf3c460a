/* The scans for one floating type: REAL and NAME() come from scans.c. */

/* A parameter is one number for all neurons, or one a neuron: spread it over the block. */
static void NAME(spread)(REAL *to, const void *from, int64_t length, int64_t start, int n)
{
    const REAL *p = from;
    int64_t at = start % length;
    for (int i = 0; i < n; i++) {
        to[i] = p[at];
        at = at + 1 == length ? 0 : at + 1;
    }
}

static void NAME(load)(REAL *to, const void *from, int n)
{
    if (from)
        memcpy(to, from, n * sizeof(REAL));
    else
        memset(to, 0, n * sizeof(REAL));
}

/* One step. `reset` and `delay` are constants at each call, so no branch is left. */
INLINE void NAME(advance)(REAL *restrict u, const REAL *restrict r, const REAL *restrict current,
                          const REAL *restrict beta, const REAL *restrict threshold,
                          REAL *restrict v, REAL *restrict spikes, int n, int reset, int delay)
{
    for (int i = 0; i < n; i++) {
        REAL before = delay && reset == ZERO ? (1 - r[i]) * u[i] : u[i];
        REAL m = beta[i] * before + current[i];
        if (delay && reset == SUBTRACT)
            m = m - r[i] * threshold[i];
        REAL fired = m > threshold[i] ? (REAL)1 : (REAL)0;
        v[i] = m;
        spikes[i] = fired;
        if (delay || reset == NONE)
            u[i] = m;
        else if (reset == SUBTRACT)
            u[i] = m - fired * threshold[i];
        else
            u[i] = m * (1 - fired);
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

static void NAME(add)(REAL *restrict sum, const REAL *restrict x, int n)
{
    for (int i = 0; i < n; i++)
        sum[i] += x[i];
}

static void NAME(store_mean)(void *to, int64_t at, const REAL *sum, int64_t steps, int n)
{
    REAL *out = (REAL *)to + at;
    for (int i = 0; i < n; i++)
        out[i] = sum[i] / (REAL)steps;
}

INLINE void NAME(scan_block)(const ScanTask *k, int64_t start, int n, int reset, int delay)
{
    REAL u[BLOCK], r0[BLOCK], beta[BLOCK], threshold[BLOCK], v_here[BLOCK], spikes_here[2][BLOCK];
    REAL sum_v[BLOCK] = {0}, sum_spikes[BLOCK] = {0};
    const REAL *r = r0, *current = (const REAL *)k->current + start;
    int in_place = k->spikes && k->storage == SAME;
    NAME(spread)(beta, k->beta, k->beta_size, start, n);
    NAME(spread)(threshold, k->threshold, k->threshold_size, start, n);
    NAME(load)(u, k->u0 ? (const REAL *)k->u0 + start : 0, n);
    NAME(load)(r0, k->r0 ? (const REAL *)k->r0 + start : 0, n);
    for (int64_t t = 0; t < k->steps; t++) {
        int64_t at = t * k->size + start;
        REAL *v = k->v ? (REAL *)k->v + at : v_here;
        /* two buffers in turn: the last step's spikes are this step's delayed reset */
        REAL *spikes = in_place ? (REAL *)k->spikes + at : spikes_here[t & 1];
        NAME(advance)(u, r, current + t * k->current_stride, beta, threshold, v, spikes, n, reset, delay);
        r = spikes;
        if (k->spikes && !in_place)
            NAME(store_spikes)(k->spikes, at, spikes, n, k->storage);
        if (k->mean_v)
            NAME(add_positive)(sum_v, v, n);
        if (k->mean_spikes)
            NAME(add)(sum_spikes, spikes, n);
    }
    memcpy((REAL *)k->u + start, u, n * sizeof(REAL));
    memcpy((REAL *)k->r + start, r, n * sizeof(REAL));
    if (k->mean_v)
        NAME(store_mean)(k->mean_v, start, sum_v, k->steps, n);
    if (k->mean_spikes)
        NAME(store_mean)(k->mean_spikes, start, sum_spikes, k->steps, n);
}

void NAME(scan)(const ScanTask *k)
{
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

/* out = gradient * psi(v - threshold); the shapes are those of PsiShape. */
INLINE void NAME(weigh)(REAL *restrict out, const REAL *restrict gradient, const REAL *restrict v,
                        const REAL *restrict threshold, REAL slope, REAL scale, int n, int psi)
{
    for (int i = 0; i < n; i++) {
        REAL z = slope * (v[i] - threshold[i]);
        REAL size = z < 0 ? -z : z;
        REAL height;
        if (psi == BOXCAR)
            height = size <= 1 ? (REAL)1 : (REAL)0;
        else if (psi == TRIANGLE)
            height = 1 - size < 0 ? (REAL)0 : 1 - size;
        else if (psi == FAST_SIGMOID)
            height = 1 / ((1 + size) * (1 + size));
        else
            height = 1 / (1 + z * z);
        out[i] = gradient[i] * (scale * height);
    }
}

static void NAME(weigh_by)(REAL *out, const REAL *gradient, const REAL *v, const REAL *threshold,
                           const ReverseTask *k, int n)
{
    REAL slope = (REAL)k->slope, scale = (REAL)k->scale;
    if (k->psi == BOXCAR)
        NAME(weigh)(out, gradient, v, threshold, slope, scale, n, BOXCAR);
    else if (k->psi == TRIANGLE)
        NAME(weigh)(out, gradient, v, threshold, slope, scale, n, TRIANGLE);
    else if (k->psi == FAST_SIGMOID)
        NAME(weigh)(out, gradient, v, threshold, slope, scale, n, FAST_SIGMOID);
    else
        NAME(weigh)(out, gradient, v, threshold, slope, scale, n, ATAN);
}

/* gate = beta * (1 - s[t]): a spike that wipes the membrane cuts its past off. */
static void NAME(cut)(REAL *gate, const REAL *beta, const REAL *threshold, const ReverseTask *k,
                      int64_t at, int n)
{
    if (!k->spikes) {
        const REAL *v = (const REAL *)k->v + at;
        for (int i = 0; i < n; i++)
            gate[i] = v[i] > threshold[i] ? (REAL)0 : beta[i];
    } else if (k->storage == SAME) {
        const REAL *spikes = (const REAL *)k->spikes + at;
        for (int i = 0; i < n; i++)
            gate[i] = spikes[i] != 0 ? (REAL)0 : beta[i];
    } else if (k->storage == BYTE) {
        const uint8_t *spikes = (const uint8_t *)k->spikes + at;
        for (int i = 0; i < n; i++)
            gate[i] = spikes[i] != 0 ? (REAL)0 : beta[i];
    } else {
        const uint16_t *spikes = (const uint16_t *)k->spikes + at;
        for (int i = 0; i < n; i++)
            gate[i] = spikes[i] != 0 ? (REAL)0 : beta[i];
    }
}

static void NAME(accumulate)(REAL *restrict out, REAL *restrict adjoint, const REAL *restrict gate,
                             const REAL *restrict gradient, int n)
{
    for (int i = 0; i < n; i++) {
        adjoint[i] = gradient[i] + gate[i] * adjoint[i];
        out[i] = adjoint[i];
    }
}

static void NAME(reverse_block)(const ReverseTask *k, int64_t start, int n)
{
    REAL beta[BLOCK], threshold[BLOCK], gate_here[BLOCK], weighed[BLOCK], out_here[BLOCK];
    REAL adjoint[BLOCK] = {0}, sum[BLOCK] = {0};
    NAME(spread)(beta, k->beta, k->beta_size, start, n);
    NAME(spread)(threshold, k->threshold, k->threshold_size, start, n);
    for (int64_t t = k->steps - 1; t >= 0; t--) {
        int64_t at = t * k->size + start;
        const REAL *gradient = (const REAL *)k->gradient + t * k->gradient_stride + start;
        const REAL *gate = beta;
        if (k->psi >= 0) {
            NAME(weigh_by)(weighed, gradient, (const REAL *)k->v + at, threshold, k, n);
            gradient = weighed;
        }
        if (k->zero) {
            NAME(cut)(gate_here, beta, threshold, k, at, n);
            gate = gate_here;
        }
        NAME(accumulate)(k->every_step ? (REAL *)k->every_step + at : out_here, adjoint, gate, gradient, n);
        if (k->total)
            NAME(add)(sum, adjoint, n);
    }
    if (k->total)
        memcpy((REAL *)k->total + start, sum, n * sizeof(REAL));
}

void NAME(reverse)(const ReverseTask *k)
{
#pragma omp parallel for schedule(static) num_threads(team(k->size, k->steps, k->threads))
    for (int64_t start = 0; start < k->size; start += BLOCK) {
        int n = k->size - start < BLOCK ? (int)(k->size - start) : BLOCK;
        NAME(reverse_block)(k, start, n);
    }
}
