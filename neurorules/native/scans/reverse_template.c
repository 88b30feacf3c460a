/* The reverse scan for one floating type, with the post factor it starts from and the normalisation it ends in. */

/* out = gradient * scale * h(slope * (v - threshold)); the shapes are those of PsiShape. */
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
        else if (psi == POSITIVE)
            height = v[i] > 0 ? (REAL)1 : (REAL)0;
        else
            height = 1 / (1 + z * z);
        out[i] = gradient[i] * (scale * height);
    }
}

/* The same for a shape that is known as the program runs; each has a loop of its own. */
static void NAME(weigh_shaped)(REAL *restrict out, const REAL *restrict gradient, const REAL *restrict v,
                               const REAL *restrict threshold, REAL slope, REAL scale, int n, int psi)
{
    if (psi == BOXCAR)
        NAME(weigh)(out, gradient, v, threshold, slope, scale, n, BOXCAR);
    else if (psi == TRIANGLE)
        NAME(weigh)(out, gradient, v, threshold, slope, scale, n, TRIANGLE);
    else if (psi == FAST_SIGMOID)
        NAME(weigh)(out, gradient, v, threshold, slope, scale, n, FAST_SIGMOID);
    else if (psi == POSITIVE)
        NAME(weigh)(out, gradient, v, threshold, slope, scale, n, POSITIVE);
    else
        NAME(weigh)(out, gradient, v, threshold, slope, scale, n, ATAN);
}

static const REAL *NAME(weigh_by)(REAL *restrict out, const REAL *restrict gradient, const REAL *v,
                                  const REAL *threshold, const ReverseTask *k, int n)
{
    REAL slope = (REAL)k->slope, scale = (REAL)k->scale;
    if (k->psi == FLAT && scale == 1)
        return gradient;
    if (k->psi == FLAT)
        for (int i = 0; i < n; i++)
            out[i] = gradient[i] * scale;
    else
        NAME(weigh_shaped)(out, gradient, v, threshold, slope, scale, n, k->psi);
    return out;
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

/* Sums over time of a block. */
typedef struct {
    REAL adjoint[BLOCK], product[BLOCK], every[BLOCK];
} NAME(Sums);

/* One step back, and what is asked of it: out = outer * adjoint, or outer * (adjoint - E[d] - I^ E[d I^]) * gain. */
INLINE void NAME(step_back)(REAL *restrict adjoint, REAL *restrict out, NAME(Sums) *restrict sums,
                            const REAL *restrict gate, const REAL *restrict gradient, const REAL *restrict normalised,
                            const REAL *restrict mean_d, const REAL *restrict mean_product,
                            const REAL *restrict gain, REAL outer, int n, int through)
{
    for (int i = 0; i < n; i++) {
        adjoint[i] = gradient[i] + gate[i] * adjoint[i];
        sums->adjoint[i] += adjoint[i];
        if (through) {
            sums->product[i] += adjoint[i] * normalised[i];
            out[i] = outer * ((adjoint[i] - mean_d[i] - normalised[i] * mean_product[i]) * gain[i]);
        } else {
            out[i] = outer * adjoint[i];
        }
        sums->every[i] += out[i];
    }
}

/* One step back through the second low-pass. */
static void NAME(step_onwards)(const Onwards *o, REAL *restrict later, REAL *restrict total, const REAL *restrict out,
                               const REAL *v, const REAL *threshold, int n)
{
    REAL ones[BLOCK], own[BLOCK];
    for (int i = 0; i < n; i++)
        ones[i] = 1;
    if (o->psi == FLAT)
        memset(own, 0, n * sizeof(REAL));
    else
        NAME(weigh_shaped)(own, ones, v, threshold, (REAL)o->slope, (REAL)o->scale, n, o->psi);
    for (int i = 0; i < n; i++) {
        REAL decay = o->cut ? (REAL)o->beta * (1 - own[i]) : (REAL)o->beta;
        later[i] = (o->weighed ? out[i] * own[i] : out[i]) + decay * later[i];
        total[i] += later[i];
    }
}

static void NAME(reverse_block)(const ReverseTask *k, int64_t start, int n)
{
    REAL beta[BLOCK], threshold[BLOCK], gate_here[BLOCK], weighed[BLOCK], normalised_here[BLOCK];
    REAL mean_d[BLOCK], mean_product[BLOCK], every_here[BLOCK], adjoint[BLOCK] = {0};
    REAL later[BLOCK] = {0}, later_total[BLOCK] = {0};
    NAME(Sums) sums = {0};
    NAME(AffineBlock) affine;
    int through = k->mean_d != 0;
    NAME(spread)(beta, k->beta, k->beta_size, start, n);
    NAME(spread)(threshold, k->threshold, k->threshold_size, start, n);
    NAME(affine_load)(&affine, &k->affine, start, n);
    if (through) {
        NAME(spread)(mean_d, k->mean_d, k->statistics_size, start, n);
        NAME(spread)(mean_product, k->mean_product, k->statistics_size, start, n);
    }
    for (int64_t t = k->steps - 1; t >= 0; t--) {
        int64_t at = t * k->size + start;
        const REAL *v = k->v ? (const REAL *)k->v + at : 0;
        const REAL *gradient = (const REAL *)k->gradient + t * k->gradient_stride + start;
        const REAL *gate = beta;
        if (t) {
            if (v)
                fetch(v - k->size, n * sizeof(REAL));
            if (k->gradient_stride)
                fetch(gradient - k->size, n * sizeof(REAL));
            if (k->current && k->current_stride)
                fetch((const REAL *)k->current + at - k->size, n * sizeof(REAL));
            if (k->every_step)
                fetch_to_write((REAL *)k->every_step + at - k->size, n * sizeof(REAL));
        }
        gradient = NAME(weigh_by)(weighed, gradient, v, threshold, k, n);
        if (k->zero) {
            NAME(cut)(gate_here, beta, threshold, k, at, n);
            gate = gate_here;
        }
        REAL *out = k->every_step ? (REAL *)k->every_step + at : every_here;
        if (through) {
            const REAL *current = (const REAL *)k->current + t * k->current_stride + start;
            const REAL *normalised = NAME(affine)(normalised_here, current, &affine, 0, 0, n);
            NAME(step_back)(adjoint, out, &sums, gate, gradient, normalised, mean_d, mean_product, affine.gain,
                            (REAL)k->outer, n, 1);
        } else {
            NAME(step_back)(adjoint, out, &sums, gate, gradient, 0, 0, 0, 0, (REAL)k->outer, n, 0);
        }
        if (k->onwards)
            NAME(step_onwards)(k->onwards, later, later_total, out, v, threshold, n);
        if (k->onwards && k->onwards->step)
            memcpy((REAL *)k->onwards->step + at, later, n * sizeof(REAL));
    }
    if (k->onwards && k->onwards->total)
        memcpy((REAL *)k->onwards->total + start, later_total, n * sizeof(REAL));
    if (k->every_total)
        memcpy((REAL *)k->every_total + start, sums.every, n * sizeof(REAL));
    if (k->total)
        memcpy((REAL *)k->total + start, sums.adjoint, n * sizeof(REAL));
    if (k->product)
        memcpy((REAL *)k->product + start, sums.product, n * sizeof(REAL));
}

static int NAME(reverse_in_pieces)(const ReverseTask *k);

void NAME(reverse)(const ReverseTask *k)
{
    if (NAME(reverse_in_pieces)(k))
        return;
#pragma omp parallel for schedule(static) num_threads(team(k->size, k->steps, k->threads))
    for (int64_t start = 0; start < k->size; start += BLOCK) {
        int n = k->size - start < BLOCK ? (int)(k->size - start) : BLOCK;
        NAME(reverse_block)(k, start, n);
    }
}
