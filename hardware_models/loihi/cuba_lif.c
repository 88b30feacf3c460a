/* Loihi's CUBA-LIF over time; cuba_lif.py says the equations, field for field kernel.py the task.
 *
 * A decay is a product of 24 by 12 bits, which a double holds exactly, and the cast to int32 rounds it toward zero as
 * the chip does. The current wraps at a divisor of 2^32, so that sums of 32 bits without sign are exact.
 */
#include <stdint.h>

#define BLOCK 512
#define WORK_PER_THREAD 32768 /* neuron steps that repay waking a thread */
#define LIMIT (1 << 23)
#define SHIFT 6

typedef struct {
    const int32_t *arriving, *u0, *v0;
    uint8_t *spikes;
    int32_t *v, *u, *last_u, *last_v; /* u may be null */
    int64_t steps, size;
    double keep_u, keep_v; /* shares of 1 */
    int32_t bias, level, threads;
} CubaTask;

static void block(const CubaTask *k, int64_t first, int64_t count)
{
    int32_t u[BLOCK], v[BLOCK];
    for (int64_t i = 0; i < count; i++) {
        u[i] = k->u0[first + i];
        v[i] = k->v0[first + i];
    }
    const double keep_u = k->keep_u, keep_v = k->keep_v;
    const int32_t bias = k->bias, level = k->level;
    for (int64_t t = 0; t < k->steps; t++) {
        const int32_t *restrict a = k->arriving + t * k->size + first;
        uint8_t *restrict s = k->spikes + t * k->size + first;
        int32_t *restrict out = k->v + t * k->size + first;
        for (int64_t i = 0; i < count; i++) {
            uint32_t sum = (uint32_t)(int32_t)((double)u[i] * keep_u) + ((uint32_t)a[i] << SHIFT);
            u[i] = LIMIT - (int32_t)(((uint32_t)LIMIT - sum) & (2u * LIMIT - 1));
            int32_t m = (int32_t)((double)v[i] * keep_v) + u[i] + bias;
            m = m > LIMIT - 1 ? LIMIT - 1 : m;
            m = m < -(LIMIT - 1) ? -(LIMIT - 1) : m;
            out[i] = m;
            s[i] = m > level;
            v[i] = m > level ? 0 : m;
        }
        if (k->u) {
            int32_t *restrict every = k->u + t * k->size + first;
            for (int64_t i = 0; i < count; i++)
                every[i] = u[i];
        }
    }
    for (int64_t i = 0; i < count; i++) {
        k->last_u[first + i] = u[i];
        k->last_v[first + i] = v[i];
    }
}

void cuba_lif(const CubaTask *k)
{
    int64_t blocks = (k->size + BLOCK - 1) / BLOCK, useful = 1 + k->size * k->steps / WORK_PER_THREAD;
    int threads = useful < k->threads ? (int)useful : k->threads;
    (void)threads; /* without OpenMP one thread does all */
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t b = 0; b < blocks; b++) {
        int64_t first = b * BLOCK, left = k->size - first;
        block(k, first, left < BLOCK ? left : BLOCK);
    }
}
