/* The forward scan of a population that may read its own spikes, for one floating type: REAL and NAME() come from
 * scans.c. A thread carries some rows of the batch through all steps. */

#define LANES ((int)(VECTOR_BYTES / sizeof(REAL)))
#define WIDTH (HELD * LANES) /* columns of a panel of weights */

typedef REAL NAME(Vector) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));

/* What a block of neurons has for numbers; a thread reads it again for each row. */
typedef struct {
    REAL beta[WIDTH], threshold[WIDTH], slow[WIDTH], jump[WIDTH], gain[WIDTH];
    NAME(AffineBlock) affine;
} NAME(Panel);

int64_t NAME(loop_width)(void)
{
    return WIDTH;
}

/* The sum of the rows of a panel that a list names, in ascending order. */
INLINE void NAME(gather)(REAL *sum, const REAL *panel, const int32_t *active, int64_t count, int vectors)
{
    NAME(Vector) held[HELD] = {0}, *at = (NAME(Vector) *)sum;
    for (int64_t i = 0; i < count; i++) {
        const NAME(Vector) *row = (const NAME(Vector) *)(panel + active[i] * (int64_t)WIDTH);
#pragma GCC unroll 16
        for (int v = 0; v < vectors; v++)
            held[v] += row[v];
    }
#pragma GCC unroll 16
    for (int v = 0; v < vectors; v++)
        at[v] = held[v];
}

static void NAME(gather_for)(REAL *sum, const REAL *panel, const int32_t *active, int64_t count, int n)
{
    if (n <= LANES)
        NAME(gather)(sum, panel, active, count, 1);
    else if (n <= HELD / 4 * LANES)
        NAME(gather)(sum, panel, active, count, HELD / 4);
    else if (n <= HELD / 2 * LANES)
        NAME(gather)(sum, panel, active, count, HELD / 2);
    else
        NAME(gather)(sum, panel, active, count, HELD);
}

/* Appends the indices of the neurons that fired, and returns the new length. */
static int64_t NAME(append)(int32_t *active, int64_t count, const REAL *spikes, int64_t first, int n)
{
    for (int i = 0; i < n; i++) {
        active[count] = (int32_t)(first + i);
        count += spikes[i] != 0;
    }
    return count;
}

/* Resets that are still due from the step before, told by the membrane alone. */
static void NAME(due)(REAL *restrict late, const REAL *restrict u, const REAL *restrict extra,
                      const NAME(Panel) *restrict p, int n, int kind)
{
    if (kind == ADAPTIVE)
        for (int i = 0; i < n; i++)
            late[i] = u[i] - p->jump[i] * extra[i] > p->threshold[i] ? (REAL)1 : (REAL)0;
    else
        for (int i = 0; i < n; i++)
            late[i] = u[i] > p->threshold[i] ? (REAL)1 : (REAL)0;
}

/* The membrane before its reset. */
static void NAME(leak)(REAL *restrict u, const REAL *restrict drive, const REAL *restrict late,
                       const NAME(Panel) *restrict p, int n, int reset, int kind)
{
    if (reset == NONE)
        for (int i = 0; i < n; i++)
            u[i] = p->beta[i] * u[i] + drive[i];
    else if (reset == SUBTRACT)
        for (int i = 0; i < n; i++)
            u[i] = p->beta[i] * u[i] + drive[i] - late[i] * p->threshold[i];
    else if (kind == SYNAPTIC)
        for (int i = 0; i < n; i++) {
            REAL m = p->beta[i] * u[i] + drive[i];
            u[i] = m - late[i] * m;
        }
    else
        for (int i = 0; i < n; i++)
            u[i] = p->beta[i] * ((1 - late[i]) * u[i]) + drive[i];
}

static void NAME(fire)(REAL *restrict v, REAL *restrict spikes, const REAL *restrict u, const REAL *restrict extra,
                       const NAME(Panel) *restrict p, int n, int kind)
{
    if (kind == ADAPTIVE)
        for (int i = 0; i < n; i++)
            v[i] = u[i] - p->jump[i] * extra[i];
    else
        memcpy(v, u, n * sizeof(REAL));
    for (int i = 0; i < n; i++)
        spikes[i] = v[i] > p->threshold[i] ? (REAL)1 : (REAL)0;
}

static void NAME(settle)(REAL *restrict u, const REAL *restrict spikes, const REAL *restrict late,
                         const NAME(Panel) *restrict p, int n, int reset)
{
    if (reset == SUBTRACT)
        for (int i = 0; i < n; i++)
            u[i] = u[i] - (spikes[i] - late[i]) * p->threshold[i];
    else
        for (int i = 0; i < n; i++)
            u[i] = u[i] - (spikes[i] - late[i]) * u[i];
}

/* One step of a block of neurons. `drive` is all that reaches them, and is written over. */
static void NAME(advance_block)(const LoopTask *k, const NAME(Panel) *p, REAL *u, REAL *extra, REAL *drive,
                                const REAL *before, REAL *v, REAL *spikes, int n)
{
    REAL late[WIDTH];
    if (k->reset != NONE)
        NAME(due)(late, u, extra, p, n, k->kind);
    if (k->kind == ADAPTIVE)
        for (int i = 0; i < n; i++)
            extra[i] = p->slow[i] * extra[i] + before[i];
    if (k->kind == SYNAPTIC)
        for (int i = 0; i < n; i++)
            drive[i] = extra[i] = p->slow[i] * extra[i] + drive[i];
    NAME(leak)(u, drive, late, p, n, k->reset, k->kind);
    NAME(fire)(v, spikes, u, extra, p, n, k->kind);
    if (!k->delay && k->reset != NONE)
        NAME(settle)(u, spikes, late, p, n, k->reset);
}

/* Adds to a normalised current what the population sends itself. */
static void NAME(join)(REAL *restrict drive, const REAL *restrict current, const REAL *restrict late,
                       const REAL *restrict gain, int n)
{
    for (int i = 0; i < n; i++)
        drive[i] = current[i] + late[i] * gain[i];
}

static void NAME(loop_panel)(const LoopTask *k, const NAME(Panel) *p, int64_t t, int64_t row, int64_t first, int n,
                             const int32_t *active, int64_t count)
{
    REAL drive[WIDTH], late[WIDTH];
    int64_t at = row * k->neurons + first, now = t * k->rows * k->neurons + at, plane = k->rows * k->neurons;
    REAL *spikes = (REAL *)k->spikes + now + plane; /* the first plane is that of the step before */
    const REAL *current = (const REAL *)k->current + t * k->current_stride + at;
    REAL *sum = k->current_sum ? (REAL *)k->current_sum + at : 0, *square = sum ? (REAL *)k->square_sum + at : 0;
    current = NAME(affine)(drive, current, &p->affine, sum, square, n);
    if (k->weights) {
        const REAL *weights = (const REAL *)k->weights + first * k->neurons; /* of this panel */
        NAME(gather_for)(late, weights, active, count, n);
        NAME(join)(drive, current, late, p->gain, n);
    } else if (current != drive)
        memcpy(drive, current, n * sizeof(REAL));
    NAME(advance_block)(k, p, (REAL *)k->u + at, (REAL *)k->extra + at, drive, spikes - plane, (REAL *)k->v + now,
                        spikes, n);
    if (k->spike_total)
        NAME(add)((REAL *)k->spike_total + at, spikes, n);
}

static void NAME(panel_load)(NAME(Panel) *p, const LoopTask *k, int64_t first, int n)
{
    NAME(spread)(p->beta, k->beta, k->beta_size, first, n);
    NAME(spread)(p->threshold, k->threshold, k->threshold_size, first, n);
    NAME(spread)(p->slow, k->slow, k->slow_size, first, n);
    NAME(spread)(p->jump, k->jump, k->jump_size, first, n);
    NAME(spread)(p->gain, k->gain, k->gain_size, first, n);
    NAME(affine_load)(&p->affine, &k->affine, first, n);
}

/* Some rows through all steps. `lists` has room for the active neurons of each row in two steps. */
static void NAME(loop_rows)(const LoopTask *k, int64_t begin, int64_t end, int32_t *lists, int64_t *counts)
{
    int64_t size = k->neurons + 1;
    for (int64_t row = begin; row < end; row++)
        counts[row] = NAME(append)(lists + row * size, 0, (const REAL *)k->spikes + row * k->neurons, 0, k->neurons);
    for (int64_t t = 0; t < k->steps; t++) {
        int32_t *now = lists + (t & 1) * k->rows * size, *next = lists + (~t & 1) * k->rows * size;
        int64_t *length = counts + (t & 1) * k->rows, *longer = counts + (~t & 1) * k->rows;
        memset(longer + begin, 0, (end - begin) * sizeof *longer);
        for (int64_t first = 0; first < k->neurons; first += WIDTH) {
            const NAME(Panel) *p = (const NAME(Panel) *)k->panels + first / WIDTH;
            int n = k->neurons - first < WIDTH ? (int)(k->neurons - first) : WIDTH;
            for (int64_t row = begin; row < end; row++) {
                NAME(loop_panel)(k, p, t, row, first, n, now + row * size, length[row]);
                if (k->weights) {
                    const REAL *spikes = (const REAL *)k->spikes + ((t + 1) * k->rows + row) * k->neurons + first;
                    longer[row] = NAME(append)(next + row * size, longer[row], spikes, first, n);
                }
            }
        }
    }
}

int64_t NAME(loop_panel_bytes)(void)
{
    return sizeof(NAME(Panel));
}

void NAME(loop)(const LoopTask *k)
{
    int parts = team(k->rows * k->neurons, k->steps, k->threads);
    for (int64_t first = 0; first < k->neurons; first += WIDTH)
        NAME(panel_load)((NAME(Panel) *)k->panels + first / WIDTH, k, first,
                         k->neurons - first < WIDTH ? (int)(k->neurons - first) : WIDTH);
#pragma omp parallel for schedule(static, 1) num_threads(parts)
    for (int part = 0; part < parts; part++)
        NAME(loop_rows)(k, k->rows * part / parts, k->rows * (part + 1) / parts, k->lists, k->counts);
}

#undef WIDTH
#undef LANES
