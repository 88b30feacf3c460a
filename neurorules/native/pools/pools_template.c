/* Included by pools.c, once a floating type. */

typedef REAL NAME(Vector) __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));
typedef INDEX NAME(Indices) __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));

#undef LANES
#define LANES ((int)(BYTES / sizeof(REAL)))
#undef Indices
#define Indices NAME(Indices)

/* The value of each position, infinite where it is no number. */
INLINE NAME(Vector) NAME(rank)(const REAL *value)
{
    NAME(Vector) v = *(const NAME(Vector) *)value;
    NAME(Vector) infinite = (NAME(Vector)){0} + (REAL)__builtin_inff();
    NAME(Indices) unordered = v != v;
    return (NAME(Vector))(((NAME(Indices))v & ~unordered) | ((NAME(Indices))infinite & unordered));
}

INLINE NAME(Vector) NAME(larger)(NAME(Vector) a, NAME(Vector) b)
{
    NAME(Indices) first = a > b;
    return (NAME(Vector))(((NAME(Indices))a & first) | ((NAME(Indices))b & ~first));
}

INLINE NAME(Vector) NAME(swapped)(NAME(Vector) a)
{
    return SHUFFLE(a, a, SWAPPED);
}

INLINE NAME(Indices) NAME(neighbour)(NAME(Indices) a)
{
    return SHUFFLE(a, a, SWAPPED);
}

/* As many positions of both rows of some windows as a vector has lanes, two for each window. */
INLINE void NAME(back_to_some)(REAL *out, REAL *below, const REAL *maps, const REAL *maps_below, const REAL *gradient)
{
    const NAME(Indices) second = {SECOND};
    NAME(Vector) a = NAME(rank)(maps), b = NAME(rank)(maps_below), sent = {0};
    NAME(Vector) upper = NAME(larger)(a, NAME(swapped)(a)), lower = NAME(larger)(b, NAME(swapped)(b));
    NAME(Vector) most = NAME(larger)(upper, lower);
    NAME(Indices) is_a = a == most, is_b = b == most;
    NAME(Indices) wins_a = is_a & ~(second & NAME(neighbour)(is_a)), wins_b = is_b & ~(second & NAME(neighbour)(is_b));
    wins_b &= ~(is_a | NAME(neighbour)(is_a));
    memcpy(&sent, gradient, BYTES / 2);
    NAME(Indices) each = (NAME(Indices))SHUFFLE(sent, sent, TWICE);
    *(NAME(Indices) *)out = each & wins_a;
    *(NAME(Indices) *)below = each & wins_b;
}

/* One window, where there are not enough for a vector. */
static void NAME(back_to_one)(REAL *out, REAL *below, const REAL *maps, const REAL *maps_below, REAL gradient)
{
    REAL value[4] = {maps[0], maps[1], maps_below[0], maps_below[1]};
    int winner = 0;
    for (int n = 0; n < 4; n++)
        value[n] = value[n] == value[n] ? value[n] : (REAL)__builtin_inff();
    for (int n = 1; n < 4; n++)
        winner = value[n] > value[winner] ? n : winner;
    out[0] = winner == 0 ? gradient : 0;
    out[1] = winner == 1 ? gradient : 0;
    below[0] = winner == 2 ? gradient : 0;
    below[1] = winner == 3 ? gradient : 0;
}

/* A gradient by each maximum, at the position that holds it; zero at all others. */
void NAME(back)(const Windows *k)
{
    int64_t down = k->high / 2, across = k->wide / 2, wide = k->wide;
#pragma omp parallel for schedule(static) num_threads(team(k->planes * k->high * k->wide, k->threads))
    for (int64_t plane = 0; plane < k->planes; plane++) {
        REAL *out = (REAL *)k->out + plane * k->high * wide;
        const REAL *maps = (const REAL *)k->maps + plane * k->high * wide;
        const REAL *gradient = (const REAL *)k->gradient + plane * down * across;
        for (int64_t y = 0; y < down; y++, gradient += across, maps += 2 * wide, out += 2 * wide) {
            for (int64_t x = 0; across >= LANES / 2 && x < across; x += LANES / 2) {
                int64_t first = x < across - LANES / 2 ? x : across - LANES / 2, at = 2 * first; /* the last ones overlap */
                NAME(back_to_some)(out + at, out + wide + at, maps + at, maps + wide + at, gradient + first);
            }
            for (int64_t x = 0; across < LANES / 2 && x < across; x++)
                NAME(back_to_one)(out + 2 * x, out + wide + 2 * x, maps + 2 * x, maps + wide + 2 * x, gradient[x]);
            if (wide % 2) /* a column that fills no window, and below a row */
                out[wide - 1] = out[2 * wide - 1] = 0;
        }
        if (k->high % 2)
            memset(out, 0, wide * sizeof(REAL));
    }
}
