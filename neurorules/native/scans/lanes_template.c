/* Scans of neurons whose currents lie in the cache: a vector of neurons runs through all steps in registers. */

typedef REAL NAME(Lanes) __attribute__((vector_size(VECTOR_BYTES)));
typedef REAL NAME(Anywhere) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
typedef INTEGER NAME(Bits) __attribute__((vector_size(VECTOR_BYTES)));

#define BESIDE 4 /* vectors of neurons that run at once */
#define PIECE 256 /* neurons of a task */
#define AHEAD 8  /* steps by which values are fetched before they are read: few enough not to push each other out of the
                    cache where the distance of two steps is a power of two */
#define LANES ((int)(VECTOR_BYTES / sizeof(REAL)))
#define AT(pointer) (*(NAME(Anywhere) *)(pointer))
#define FROM(pointer) ((NAME(Lanes)) * (const NAME(Anywhere) *)(pointer))
#define ALL(number) ((NAME(Lanes)){0} + (REAL)(number))
#define WHERE(truth) ((NAME(Bits))(truth))

INLINE NAME(Lanes) NAME(chosen)(NAME(Bits) truth, NAME(Lanes) a, NAME(Lanes) b)
{
    return (NAME(Lanes))(((NAME(Bits))a & truth) | ((NAME(Bits))b & ~truth));
}

/* 1 or 0. */
INLINE NAME(Lanes) NAME(flag)(NAME(Bits) truth)
{
    return (NAME(Lanes))((NAME(Bits))ALL(1) & truth);
}

/* The numbers of some vectors of neurons from `at` on: one a neuron, one for all, or `otherwise`. */
static void NAME(numbers)(NAME(Lanes) *to, const void *from, int64_t length, REAL otherwise, int64_t at, int vectors)
{
    const REAL *own = from && length > 1 ? (const REAL *)from + at % length : 0;
    for (int j = 0; j < vectors; j++)
        to[j] = own ? FROM(own + j * LANES) : ALL(from ? *(const REAL *)from : otherwise);
}

typedef struct {
    NAME(Lanes) shift[BESIDE], mean[BESIDE], gain[BESIDE], bias[BESIDE];
    int any;
} NAME(AffineLanes);

static void NAME(affine_lanes)(NAME(AffineLanes) *a, const Affine *k, int64_t at, int vectors)
{
    a->any = k->shift || k->gain || k->bias;
    NAME(numbers)(a->shift, k->shift, k->shift_size, 0, at, vectors);
    NAME(numbers)(a->mean, k->mean, k->mean_size, 0, at, vectors);
    NAME(numbers)(a->gain, k->gain, k->gain_size, 1, at, vectors);
    NAME(numbers)(a->bias, k->bias, k->bias_size, 0, at, vectors);
}

INLINE NAME(Lanes) NAME(mapped)(NAME(Lanes) current, const NAME(AffineLanes) *a, int j)
{
    return a->any ? (current - a->shift[j] - a->mean[j]) * a->gain[j] + a->bias[j] : current;
}

/* One step, as `advance`: the membrane before the reset; `u` is moved, and `fired` is 1 or 0. */
INLINE NAME(Lanes) NAME(stepped)(NAME(Lanes) *u, NAME(Lanes) current, NAME(Lanes) beta, NAME(Lanes) threshold,
                                 NAME(Lanes) *fired, int reset, int delay)
{
    NAME(Lanes) late = NAME(flag)(WHERE(*u > threshold));
    NAME(Lanes) before = reset == ZERO ? (1 - late) * *u : *u;
    NAME(Lanes) m = beta * before + current;
    if (reset == SUBTRACT)
        m = m - late * threshold;
    *fired = NAME(flag)(WHERE(m > threshold));
    if (delay || reset == NONE)
        *u = m;
    else if (reset == SUBTRACT)
        *u = m - (*fired - late) * threshold;
    else
        *u = m - (*fired - late) * m;
    return m;
}

/* What a total grows by in a step, as `add_total`. */
INLINE NAME(Lanes) NAME(grown)(NAME(Lanes) v, NAME(Lanes) threshold, REAL slope, int summed, int shape)
{
    if (summed == POSITIVE_V)
        return NAME(chosen)(WHERE(v < 0), ALL(0), v);
    NAME(Lanes) z = slope * (v - threshold);
    if (shape == FAST_SIGMOID)
        return z / (1 + NAME(chosen)(WHERE(z < 0), -z, z));
    NAME(Lanes) low = NAME(chosen)(WHERE(z < -1), ALL(-1), z), y = NAME(chosen)(WHERE(low > 1), ALL(1), low);
    return shape == BOXCAR ? y : y - y * NAME(chosen)(WHERE(y < 0), -y, y) / 2;
}

/* Where the values of a later step lie; behind the last one, those of the next neurons' first steps. */
INLINE void *NAME(ahead)(const REAL *from, int64_t t, int64_t steps, int64_t stride, int64_t next)
{
    int64_t later = t + AHEAD;
    return (void *)(from + (later < steps ? later * stride : next + (later - steps) % steps * stride));
}

/* `vectors` neighbouring vectors of neurons at once, since a step waits for the one before it. */
INLINE void NAME(scan_lanes)(const ScanTask *k, int64_t at, int reset, int delay, int vectors)
{
    const int64_t steps = k->steps, size = k->size, stride = k->current_stride, ahead = vectors * LANES;
    const REAL *current = (const REAL *)k->current + at;
    const REAL slope = (REAL)k->slope;
    REAL *v = k->v ? (REAL *)k->v + at : 0, *spikes = k->spikes ? (REAL *)k->spikes + at : 0;
    const int summed = k->total ? k->summed : 0, shape = k->shape;
    NAME(Lanes) beta[BESIDE], threshold[BESIDE], u[BESIDE], total[BESIDE], spike_total[BESIDE], sum[BESIDE];
    NAME(Lanes) square[BESIDE], fired;
    NAME(AffineLanes) affine;
    NAME(numbers)(beta, k->beta, k->beta_size, 0, at, vectors);
    NAME(numbers)(threshold, k->threshold, k->threshold_size, 0, at, vectors);
    NAME(affine_lanes)(&affine, &k->affine, at, vectors);
    affine.any |= k->current_sum != 0;
#pragma GCC unroll 8
    for (int j = 0; j < vectors; j++) {
        u[j] = k->u0 ? FROM((const REAL *)k->u0 + at + j * LANES) : ALL(0);
        total[j] = spike_total[j] = sum[j] = square[j] = ALL(0);
    }
    for (int64_t t = 0; t < steps; t++) {
        fetch(NAME(ahead)(current, t, steps, stride, ahead), vectors * VECTOR_BYTES);
        if (v)
            fetch_to_write(NAME(ahead)(v, t, steps, size, ahead), vectors * VECTOR_BYTES);
        if (spikes)
            fetch_to_write(NAME(ahead)(spikes, t, steps, size, ahead), vectors * VECTOR_BYTES);
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++) {
            NAME(Lanes) here = FROM(current + t * stride + j * LANES), shifted = here - affine.shift[j];
            sum[j] += shifted; /* read only where the map is there */
            square[j] += shifted * shifted;
            here = NAME(stepped)(u + j, NAME(mapped)(here, &affine, j), beta[j], threshold[j], &fired, reset, delay);
            if (v)
                AT(v + t * size + j * LANES) = here;
            if (spikes)
                AT(spikes + t * size + j * LANES) = fired;
            spike_total[j] += fired;
            if (summed)
                total[j] += NAME(grown)(here, threshold[j], slope, summed, shape);
        }
    }
#pragma GCC unroll 8
    for (int j = 0; j < vectors; j++) {
        int64_t to = at + j * LANES;
        AT((REAL *)k->u + to) = u[j];
        if (k->spike_total)
            AT((REAL *)k->spike_total + to) = spike_total[j];
        if (k->total)
            AT((REAL *)k->total + to) = total[j];
        if (k->current_sum) {
            AT((REAL *)k->current_sum + to) = sum[j];
            AT((REAL *)k->square_sum + to) = square[j];
        }
    }
}

/* The same for one vector, whose reset is known as the program runs. */
static void NAME(scan_vector)(const ScanTask *k, int64_t at)
{
    NAME(scan_lanes)(k, at, k->reset, k->delay, 1);
}

static void NAME(scan_vectors)(const ScanTask *k, int64_t at)
{
    if (k->reset == NONE)
        NAME(scan_lanes)(k, at, NONE, 0, BESIDE);
    else if (k->reset == SUBTRACT && k->delay)
        NAME(scan_lanes)(k, at, SUBTRACT, 1, BESIDE);
    else if (k->reset == SUBTRACT)
        NAME(scan_lanes)(k, at, SUBTRACT, 0, BESIDE);
    else if (k->delay)
        NAME(scan_lanes)(k, at, ZERO, 1, BESIDE);
    else
        NAME(scan_lanes)(k, at, ZERO, 0, BESIDE);
}

/* Runs n >= LANES neurons from `start` on. The last vectors reach back over some that have run, and give the same. */
static void NAME(scan_piece)(const ScanTask *k, int64_t start, int64_t n)
{
    const int64_t many = BESIDE * LANES;
    int64_t i = 0;
    for (; n >= many && i < n; i += many)
        NAME(scan_vectors)(k, start + (n - i < many ? n - many : i));
    for (; i < n; i += LANES)
        NAME(scan_vector)(k, start + (n - i < LANES ? n - LANES : i));
}

/* The length of a row of neurons with numbers of their own, or `size` where all neurons share theirs. */
static int64_t NAME(row)(int64_t size, const Affine *a, int64_t beta_size, int64_t threshold_size, int64_t other)
{
    int64_t sizes[] = {a->shift_size, a->mean_size, a->gain_size, a->bias_size, beta_size, threshold_size, other}, most = 1;
    for (int i = 0; i < 7; i++)
        most = sizes[i] > most ? sizes[i] : most;
    return most > 1 ? most : size;
}

/* The number of pieces of a row, each of LANES neurons or more; 0 where a row is shorter. */
static int64_t NAME(pieces)(int64_t row)
{
    return row < LANES ? 0 : (row + PIECE - 1) / PIECE;
}

/* The scan in vectors; false where it has to be made block by block. */
static int NAME(scan_in_pieces)(const ScanTask *k)
{
    int64_t row = NAME(row)(k->size, &k->affine, k->beta_size, k->threshold_size, 1), pieces = NAME(pieces)(row);
    if (!pieces || (k->spikes && k->storage != SAME))
        return 0;
#pragma omp parallel for schedule(static) num_threads(team(k->size, k->steps, k->threads))
    for (int64_t piece = 0; piece < k->size / row * pieces; piece++) {
        int64_t from = piece % pieces * row / pieces, to = (piece % pieces + 1) * row / pieces;
        NAME(scan_piece)(k, piece / pieces * row + from, to - from);
    }
    return 1;
}
