/* Included by frames.c. COORDINATE: type of x and y. COUNTER: type of a count. MOST: largest count. NAME: suffix. */

static int NAME(count_one)(const Frames *f, int64_t recording, const COORDINATE *x, const COORDINATE *y, COUNTER *counts)
{
    int64_t begin = f->offsets[recording], end = f->offsets[recording + 1], area = f->height * f->width;
    memset(counts, 0, (size_t)(f->steps * f->polarities * area) * sizeof(COUNTER));
    if (begin == end)
        return WHOLE;
    int32_t first = f->t_us[begin], latest = first;
    for (int64_t e = begin; e < end; e++) {
        first = f->t_us[e] < first ? f->t_us[e] : first;
        latest = f->t_us[e] > latest ? f->t_us[e] : latest;
    }
    int64_t length = (int64_t)latest - first + 1;
    length = length < f->longest_us ? length : f->longest_us;
    Step at = {0, 0, 0};
    int answer = WHOLE;
    for (int64_t e = begin; e < end; e++) {
        int64_t elapsed = (int64_t)f->t_us[e] - first;
        if (f->polarity[e] >= f->polarities || y[e] >= f->height || x[e] >= f->width)
            return OUTSIDE;
        if (elapsed > f->keep_us)
            continue;
        if (elapsed < at.from || elapsed >= at.to)
            at = step_at(f, elapsed, length);
        COUNTER *here = counts + (at.step * f->polarities + f->polarity[e]) * area + y[e] * f->width + x[e];
        if (*here == MOST)
            answer = TOO_MANY;
        else
            ++*here;
    }
    return answer;
}

/* WHOLE, or TOO_MANY where a count does not fit, or OUTSIDE where an event lies beyond the sensor. */
int32_t NAME(count)(const Frames *f, const COORDINATE *x, const COORDINATE *y, COUNTER *counts)
{
    int64_t cells = f->steps * f->polarities * f->height * f->width;
    int answer = WHOLE;
#pragma omp parallel for schedule(dynamic, AT_ONCE) num_threads(f->threads) reduction(max : answer)
    for (int64_t r = 0; r < f->recordings; r++) {
        int one = NAME(count_one)(f, r, x, y, counts + r * cells);
        answer = one > answer ? one : answer;
    }
    return answer;
}
#undef COUNTER
#undef MOST
#undef NAME
