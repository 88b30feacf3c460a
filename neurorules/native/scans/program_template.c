/* Programs of few operations that run backwards through time, for one floating type: REAL and NAME() come from
 * scans.c. Intermediate values are blocks that stay in the first-level cache. */

#define EACH(expression)        \
    for (int i = 0; i < n; i++) \
        to[i] = (expression);   \
    break

INLINE void NAME(operate)(const Operation *o, REAL *restrict to, const REAL *restrict a, const REAL *restrict b,
                          REAL *restrict kept, int n)
{
    REAL slope = (REAL)o->slope, scale = (REAL)o->scale;
    switch (o->kind) {
    case ADD: EACH(a[i] + b[i]);
    case TAKE: EACH(a[i] - b[i]);
    case TIMES: EACH(a[i] * b[i]);
    case OVER: EACH(a[i] / b[i]);
    case LATER: /* what a was a step later, which is the step before this one */
        memcpy(to, kept, n * sizeof(REAL));
        memcpy(kept, a, n * sizeof(REAL));
        break;
    case BACK: /* to = a + what b lets through of it from the step after */
        for (int i = 0; i < n; i++) {
            to[i] = a[i] + kept[i];
            kept[i] = b[i] * to[i];
        }
        break;
    default: /* the slope of a membrane a with the threshold b */
        for (int i = 0; i < n; i++)
            kept[i] = 1;
        NAME(weigh_shaped)(to, kept, a, b, slope, scale, n, o->shape);
    }
}

static void NAME(program_block)(const Program *k, int64_t start, int n)
{
    static const int64_t size = BLOCK;
    REAL made[MOST * BLOCK], kept[MOST * BLOCK];
    const REAL *value[2 * MOST];
    for (int i = 0; i < k->inputs; i++)
        if (k->input[i].length < k->plane) {
            NAME(spread)(made + i * size, k->input[i].data, k->input[i].length, start, n);
            value[i] = made + i * size;
        }
    for (int i = 0; i < k->operations; i++)
        if (k->operation[i].kind == LATER || k->operation[i].kind == BACK)
            memset(kept + (k->inputs + i) * size, 0, n * sizeof(REAL));
    for (int64_t t = k->steps - 1; t >= 0; t--) {
        for (int i = 0; i < k->inputs; i++)
            if (k->input[i].length >= k->plane) {
                value[i] = (const REAL *)k->input[i].data + t * k->input[i].stride + start;
                if (t && k->input[i].stride)
                    fetch(value[i] - k->plane, n * sizeof(REAL));
            }
        for (int i = 0; i < k->operations; i++) {
            const Operation *o = k->operation + i;
            int to = k->inputs + i;
            REAL *out = o->out ? (REAL *)o->out + t * k->plane + start : made + to * size;
            NAME(operate)(o, out, value[o->a], value[o->b], kept + to * size, n);
            value[to] = out;
        }
    }
}

void NAME(program)(const Program *k)
{
#pragma omp parallel for schedule(static) num_threads(team(k->plane, k->steps, k->threads))
    for (int64_t start = 0; start < k->plane; start += BLOCK)
        NAME(program_block)(k, start, k->plane - start < BLOCK ? (int)(k->plane - start) : BLOCK);
}

#undef EACH
