/* One presentation to the network of Diehl & Cook (2015): a loop over steps, as reference.py writes it in torch. */
#include <math.h>
#include <stdint.h>

/* Field for field `_Cells` of native.py. */
typedef struct {
    double *v, *g_e, *g_i; /* g_i is null where nothing inhibits */
    int64_t *last;
    double rest, reset, inhibition, rate;  /* rate: step / time constant */
    int64_t clamped;                       /* steps after a spike in which the membrane stays */
} Cells;

/* Field for field `_Task` of native.py. */
typedef struct {
    Cells excitatory, inhibitory;
    double *w, *theta;
    const int32_t *order, *begin; /* of each input: neurons by delay, and where each delay begins */
    int32_t *arrived;
    const int64_t *times, *inputs, *spike_begin; /* spikes of step s stand from spike_begin[s] on */
    const double *table;
    double *post1; /* the trace of each neuron's spikes before this step */
    uint8_t *spikes, *inhibits;
    double keep_e, keep_i, keep_theta, share, excites, inhibit, base, inhibitory_threshold, theta_plus;
    double nu_pre, nu_post, post2_rate;
    int64_t steps, first, size, n_inputs, longest, lags;
    int32_t learns, adapts;
} Task;

static double trace(const Task *k, int64_t lag) { return k->table[lag < k->lags ? lag : k->lags - 1]; }

static double clip(double x) { return x < 0 ? 0 : x > 1 ? 1 : x; }

static void move(const Cells *c, int64_t size, int64_t now)
{
    const double alone = exp(-c->rate); /* of most neurons, whose conductances have faded */
    for (int64_t j = 0; j < size; j++) {
        if (now - c->last[j] < c->clamped)
            continue;
        double total = 1 + c->g_e[j], pull = c->rest;
        if (c->g_i) {
            total += c->g_i[j];
            pull += c->g_i[j] * c->inhibition;
        }
        double rest = pull / total;
        c->v[j] = rest + (c->v[j] - rest) * (total == 1 ? alone : exp(-c->rate * total));
    }
}

static int ready(const Cells *c, int64_t j, int64_t now)
{
    return now - c->last[j] >= c->clamped;
}

/* Spikes that arrive in a step: what they bring, what they take from weights (`acts`), and that they came (`marks`). */
static void arrive(const Task *k, int64_t step, int acts, int marks)
{
    const int64_t now = k->first + step, oldest = step < k->longest ? 0 : step - k->longest;
    for (int64_t e = k->spike_begin[oldest]; e < k->spike_begin[step + 1]; e++) {
        const int64_t i = k->inputs[e], row = i * k->size;
        const int32_t *begin = k->begin + i * (k->longest + 2) + step - k->times[e];
        for (int32_t n = begin[0]; n < begin[1]; n++) {
            const int64_t j = k->order[row + n];
            if (acts) {
                k->excitatory.g_e[j] += k->share * k->w[row + j];
                if (k->learns)
                    k->w[row + j] = clip(k->w[row + j] - k->nu_pre * k->post1[j]);
            }
            if (marks)
                k->arrived[row + j] = (int32_t)now;
        }
    }
}

static void potentiate(const Task *k, int64_t j, int64_t now)
{
    const double post2 = exp(-(double)(now - k->excitatory.last[j]) * k->post2_rate);
    for (int64_t i = 0; i < k->n_inputs; i++) {
        double *w = k->w + i * k->size + j;
        *w = clip(*w + k->nu_post * trace(k, now - k->arrived[i * k->size + j]) * post2);
    }
}

static void fire(const Cells *c, int64_t j, int64_t now)
{
    c->v[j] = c->reset;
    c->last[j] = now;
}

void present(const Task *k)
{
    const Cells *e = &k->excitatory, *i = &k->inhibitory;
    for (int64_t step = 0; step < k->steps; step++) {
        const int64_t now = k->first + step;
        uint8_t *fired = k->spikes + step * k->size;
        int64_t all = 0, any = 0;
        move(e, k->size, now);
        move(i, k->size, now);
        for (int64_t j = 0; j < k->size; j++) {
            e->g_e[j] *= k->keep_e;
            e->g_i[j] *= k->keep_i;
            i->g_e[j] *= k->keep_e;
            if (k->adapts)
                k->theta[j] *= k->keep_theta;
            fired[j] = e->v[j] > k->theta[j] + k->base && ready(e, j, now);
            k->inhibits[j] = i->v[j] > k->inhibitory_threshold && ready(i, j, now);
            all += k->inhibits[j];
            any += fired[j];
            k->post1[j] = trace(k, now - e->last[j]);
        }
        arrive(k, step, 1, !any); /* potentiation reads what came before this step */
        if (any) {
            for (int64_t j = 0; k->learns && j < k->size; j++)
                if (fired[j])
                    potentiate(k, j, now);
            arrive(k, step, 0, 1);
        }
        for (int64_t j = 0; j < k->size; j++) {
            e->g_i[j] += k->inhibit * (double)(all - k->inhibits[j]);
            if (fired[j]) {
                i->g_e[j] += k->excites;
                fire(e, j, now);
                if (k->adapts)
                    k->theta[j] += k->theta_plus;
            }
            if (k->inhibits[j])
                fire(i, j, now);
        }
    }
}
