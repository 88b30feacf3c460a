/* Reverse scans in vectors, as in lanes_template.c, which comes first; membranes are computed again where none are given. */

/* The membranes of some neurons at all steps, and their currents: (steps, vectors) each. */
INLINE void NAME(rerun_lanes)(const ScanTask *k, int64_t at, NAME(Lanes) *v, NAME(Lanes) *currents, int vectors,
                              int reset, int delay)
{
    const REAL *current = (const REAL *)k->current + at;
    const int64_t steps = k->steps, stride = k->current_stride;
    NAME(Lanes) beta[BESIDE], threshold[BESIDE], u[BESIDE], fired;
    NAME(AffineLanes) affine;
    NAME(numbers)(beta, k->beta, k->beta_size, 0, at, vectors);
    NAME(numbers)(threshold, k->threshold, k->threshold_size, 0, at, vectors);
    NAME(affine_lanes)(&affine, &k->affine, at, vectors);
#pragma GCC unroll 8
    for (int j = 0; j < vectors; j++)
        u[j] = k->u0 ? FROM((const REAL *)k->u0 + at + j * LANES) : ALL(0);
    for (int64_t t = 0; t < steps; t++) {
        fetch(NAME(ahead)(current, t, steps, stride, vectors * LANES), vectors * VECTOR_BYTES);
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++) {
            NAME(Lanes) here = FROM(current + t * stride + j * LANES);
            currents[t * vectors + j] = here;
            here = NAME(mapped)(here, &affine, j);
            v[t * vectors + j] = NAME(stepped)(u + j, here, beta[j], threshold[j], &fired, reset, delay);
        }
    }
}

static void NAME(rerun_vector)(const ScanTask *k, int64_t at, NAME(Lanes) *v, NAME(Lanes) *currents)
{
    NAME(rerun_lanes)(k, at, v, currents, 1, k->reset, k->delay);
}

static void NAME(rerun_vectors)(const ScanTask *k, int64_t at, NAME(Lanes) *v, NAME(Lanes) *currents)
{
    if (k->reset == NONE)
        NAME(rerun_lanes)(k, at, v, currents, BESIDE, NONE, 0);
    else if (k->reset == SUBTRACT && k->delay)
        NAME(rerun_lanes)(k, at, v, currents, BESIDE, SUBTRACT, 1);
    else if (k->reset == SUBTRACT)
        NAME(rerun_lanes)(k, at, v, currents, BESIDE, SUBTRACT, 0);
    else if (k->delay)
        NAME(rerun_lanes)(k, at, v, currents, BESIDE, ZERO, 1);
    else
        NAME(rerun_lanes)(k, at, v, currents, BESIDE, ZERO, 0);
}

/* h(slope * (v - threshold)), as in `weigh`. */
INLINE NAME(Lanes) NAME(height)(NAME(Lanes) v, NAME(Lanes) threshold, REAL slope, int psi)
{
    NAME(Lanes) z = slope * (v - threshold), size = NAME(chosen)(WHERE(z < 0), -z, z);
    if (psi == FAST_SIGMOID)
        return 1 / ((1 + size) * (1 + size));
    if (psi == BOXCAR)
        return NAME(flag)(WHERE(size <= 1));
    if (psi == TRIANGLE)
        return NAME(chosen)(WHERE(1 - size < 0), ALL(0), 1 - size);
    if (psi == POSITIVE)
        return NAME(flag)(WHERE(v > 0));
    return 1 / (1 + z * z);
}

/* What a reverse scan reads of some neurons at each step: the values of step t lie at from + t * stride. */
typedef struct {
    const REAL *from;
    int64_t stride;
    int fetched; /* whether it comes from memory, and not from the first-level cache */
} NAME(Read);

INLINE NAME(Read) NAME(read)(const void *from, int64_t at, int64_t stride)
{
    return (NAME(Read)){from ? (const REAL *)from + at : 0, stride, from && stride};
}

INLINE void NAME(fetch_back)(const NAME(Read) *values, int64_t t, int64_t steps, int vectors)
{
    if (values->fetched)
        fetch(NAME(ahead)(values->from + (steps - 1) * values->stride, steps - 1 - t, steps, -values->stride,
                          vectors * LANES), vectors * VECTOR_BYTES);
}

INLINE void NAME(reverse_lanes)(const ReverseTask *k, int64_t at, int through, int onwards, int vectors)
{
    NAME(Lanes) membranes[MOST_STEPS * BESIDE], currents[MOST_STEPS * BESIDE];
    NAME(Lanes) beta[BESIDE], threshold[BESIDE], mean_d[BESIDE], mean_product[BESIDE];
    NAME(Lanes) adjoint[BESIDE], total[BESIDE], product[BESIDE], every[BESIDE];
    NAME(Lanes) later[BESIDE], later_total[BESIDE];
    NAME(AffineLanes) affine;
    const Onwards *o = k->onwards;
    const int weighed = onwards && o->weighed, cut = onwards && o->cut, later_psi = onwards ? o->psi : FLAT;
    const REAL later_slope = onwards ? (REAL)o->slope : 0, later_scale = onwards ? (REAL)o->scale : 0;
    const REAL later_beta = onwards ? (REAL)o->beta : 0;
    REAL *later_step = onwards && o->step ? (REAL *)o->step + at : 0;
    NAME(Read) v = NAME(read)(k->v, at, k->size), gradient = NAME(read)(k->gradient, at, k->gradient_stride);
    NAME(Read) current = NAME(read)(through ? k->current : 0, at, k->current_stride);
    const REAL slope = (REAL)k->slope, scale = (REAL)k->scale, outer = (REAL)k->outer;
    const int psi = k->psi, zero = k->zero;
    const int64_t steps = k->steps, size = k->size;
    REAL *every_step = k->every_step ? (REAL *)k->every_step + at : 0;
    if (k->rerun) {
        (vectors == BESIDE ? NAME(rerun_vectors) : NAME(rerun_vector))(k->rerun, at, membranes, currents);
        v = (NAME(Read)){(const REAL *)membranes, vectors * LANES, 0};
        if (through && k->current == k->rerun->current && k->current_stride == k->rerun->current_stride)
            current = (NAME(Read)){(const REAL *)currents, vectors * LANES, 0};
    }
    NAME(numbers)(beta, k->beta, k->beta_size, 0, at, vectors);
    NAME(numbers)(threshold, k->threshold, k->threshold_size, 0, at, vectors);
    NAME(numbers)(mean_d, k->mean_d, k->statistics_size, 0, at, vectors);
    NAME(numbers)(mean_product, k->mean_product, k->statistics_size, 0, at, vectors);
    NAME(affine_lanes)(&affine, &k->affine, at, vectors);
#pragma GCC unroll 8
    for (int j = 0; j < vectors; j++)
        adjoint[j] = total[j] = product[j] = every[j] = later[j] = later_total[j] = ALL(0);
    for (int64_t t = steps - 1; t >= 0; t--) {
        NAME(fetch_back)(&v, t, steps, vectors);
        NAME(fetch_back)(&gradient, t, steps, vectors);
        NAME(fetch_back)(&current, t, steps, vectors);
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++) {
            NAME(Lanes) g = FROM(gradient.from + t * gradient.stride + j * LANES), gate = beta[j], out;
            NAME(Lanes) here = v.from ? FROM(v.from + t * v.stride + j * LANES) : ALL(0);
            if (psi != FLAT)
                g = g * (scale * NAME(height)(here, threshold[j], slope, psi));
            else if (scale != 1)
                g = g * scale;
            if (zero)
                gate = NAME(chosen)(WHERE(here > threshold[j]), ALL(0), gate);
            adjoint[j] = g + gate * adjoint[j];
            total[j] += adjoint[j];
            if (through) {
                NAME(Lanes) normalised = NAME(mapped)(FROM(current.from + t * current.stride + j * LANES), &affine, j);
                product[j] += adjoint[j] * normalised;
                out = outer * ((adjoint[j] - mean_d[j] - normalised * mean_product[j]) * affine.gain[j]);
            } else {
                out = outer * adjoint[j];
            }
            every[j] += out;
            if (every_step)
                AT(every_step + t * size + j * LANES) = out;
            if (onwards) {
                NAME(Lanes) decay = ALL(later_beta);
                if (later_psi != FLAT) {
                    NAME(Lanes) own = later_scale * NAME(height)(here, threshold[j], later_slope, later_psi);
                    out = weighed ? out * own : out;
                    decay = cut ? decay * (1 - own) : decay;
                }
                later[j] = out + decay * later[j];
                later_total[j] += later[j];
                if (later_step)
                    AT(later_step + t * size + j * LANES) = later[j];
            }
        }
    }
#pragma GCC unroll 8
    for (int j = 0; j < vectors; j++) {
        if (k->every_total)
            AT((REAL *)k->every_total + at + j * LANES) = every[j];
        if (k->total)
            AT((REAL *)k->total + at + j * LANES) = total[j];
        if (k->product)
            AT((REAL *)k->product + at + j * LANES) = product[j];
        if (onwards && o->total)
            AT((REAL *)o->total + at + j * LANES) = later_total[j];
    }
}

/* n >= LANES neurons; the last vectors reach back over some that have run, and give the same. */
INLINE void NAME(reverse_all_lanes)(const ReverseTask *k, int64_t start, int64_t n, int through, int onwards)
{
    const int64_t many = BESIDE * LANES;
    int64_t i = 0;
    for (; n >= many && i < n; i += many)
        NAME(reverse_lanes)(k, start + (n - i < many ? n - many : i), through, onwards, BESIDE);
    for (; i < n; i += LANES)
        NAME(reverse_lanes)(k, start + (n - i < LANES ? n - LANES : i), through, onwards, 1);
}

/* The same, in code of its own for each form of the scan. */
static void NAME(reverse_piece)(const ReverseTask *k, int64_t start, int64_t n)
{
    if (k->mean_d && k->onwards)
        NAME(reverse_all_lanes)(k, start, n, 1, 1);
    else if (k->mean_d)
        NAME(reverse_all_lanes)(k, start, n, 1, 0);
    else if (k->onwards)
        NAME(reverse_all_lanes)(k, start, n, 0, 1);
    else
        NAME(reverse_all_lanes)(k, start, n, 0, 0);
}

/* The reverse scan in vectors; false where it has to be made block by block. */
static int NAME(reverse_in_pieces)(const ReverseTask *k)
{
    int64_t row = NAME(row)(k->size, &k->affine, k->beta_size, k->threshold_size, k->statistics_size);
    if (k->rerun && row == k->size)
        row = NAME(row)(k->size, &k->rerun->affine, k->rerun->beta_size, k->rerun->threshold_size, 1);
    int64_t pieces = NAME(pieces)(row);
    if (!pieces || (k->zero && k->spikes))
        return 0;
#pragma omp parallel for schedule(static) num_threads(team(k->size, k->steps, k->threads))
    for (int64_t piece = 0; piece < k->size / row * pieces; piece++) {
        int64_t from = piece % pieces * row / pieces, n = (piece % pieces + 1) * row / pieces - from;
        NAME(reverse_piece)(k, piece / pieces * row + from, n);
    }
    return 1;
}

#undef BESIDE
#undef PIECE
#undef AHEAD
#undef LANES
#undef AT
#undef FROM
#undef ALL
#undef WHERE
