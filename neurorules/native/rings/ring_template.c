/* One vector of rings, WIDTH of them side by side, for one floating type: their run and their reverse circuit.
 * REAL, INTEGER, NAME() and the numbers of exp come from rings.c. */

typedef REAL NAME(Vec) __attribute__((vector_size(64)));
typedef INTEGER NAME(Int) __attribute__((vector_size(64)));
#define VEC NAME(Vec)
#define INT NAME(Int)
#define WIDTH ((int)(64 / sizeof(REAL)))

/* ln(2)^k / k!, the coefficients of 2^r on |r| <= 1/2, where TERMS of them are exact to rounding. */
static const REAL NAME(taylor)[14] = {
    1, 6.931471805599453094e-1, 2.402265069591007123e-1, 5.550410866482157995e-2, 9.618129107628477162e-3,
    1.333355814642844342e-3, 1.540353039338160995e-4, 1.525273380405984028e-5, 1.321548679014430949e-6,
    1.017808600923969973e-7, 7.054911620801123330e-9, 4.445538271870811498e-10, 2.567843599348820514e-11,
    1.369148885390412888e-12,
};

/* 2^y; `far` is set where y is out of range, and the answer then means nothing. */
INLINE VEC NAME(power)(VEC y, INT *far)
{
    const VEC shifted = y + MAGIC;
    const VEC r = y - (shifted - MAGIC);
    VEC p = (VEC){} + NAME(taylor)[TERMS - 1];
    for (int k = TERMS - 2; k >= 0; k--)
        p = p * r + NAME(taylor)[k];
    *far |= y * y > FURTHEST * FURTHEST;
    return p * (VEC)((INT)shifted << MANTISSA);
}

/* A d, A = -diag(k2) + k3 (shift down - shift up): a variable feeds on the one before it. */
INLINE void NAME(couple)(const System *s, const VEC *d, VEC *f)
{
    const REAL k2 = s->k2, k3 = s->k3;
    for (int i = 0; i < VARIABLES; i++)
        f[i] = (d[(i + 4) % 5] - d[(i + 1) % 5]) * k3 - d[i] * k2;
}

/* A^T a: the same ring run through in the opposite sense. */
INLINE void NAME(mirror)(const System *s, const VEC *a, VEC *q)
{
    const REAL k2 = s->k2, k3 = s->k3;
    for (int i = 0; i < VARIABLES; i++)
        q[i] = (a[(i + 1) % 5] - a[(i + 4) % 5]) * k3 - a[i] * k2;
}

/* From rest under drive u: x after all steps; where `path` is given, x before each step and at its Heun predictor.
 * y = log2(x / x*). A ring that leaves the range of its numbers ends as NaN. */
INLINE void NAME(run)(const System *s, VEC u, const VEC *rest, VEC *x, VEC *path)
{
    const REAL h = s->h * LOG2E, half = s->h * LOG2E / 2;
    VEC y[5] = {}, d[5], f[5], g[5];
    INT far = {};
    for (int i = 0; i < 5; i++)
        x[i] = rest[i];
    for (int64_t t = 0; t < s->steps; t++) {
        for (int i = 0; i < 5; i++)
            d[i] = x[i] - rest[i];
        NAME(couple)(s, d, f);
        f[J] += u;
        if (path)
            memcpy(path + 10 * t, x, 5 * sizeof(VEC));
        for (int i = 0; i < 5; i++)
            x[i] = rest[i] * NAME(power)(y[i] + h * f[i], &far);
        if (path)
            memcpy(path + 10 * t + 5, x, 5 * sizeof(VEC));
        for (int i = 0; i < 5; i++)
            d[i] = x[i] - rest[i];
        NAME(couple)(s, d, g);
        g[J] += u;
        for (int i = 0; i < 5; i++) {
            y[i] += half * (f[i] + g[i]);
            x[i] = rest[i] * NAME(power)(y[i], &far);
        }
    }
    for (int i = 0; i < 5; i++)
        x[i] = (VEC)((INT)x[i] | far); /* all bits set are a NaN */
}

INLINE VEC NAME(output)(const System *s, const VEC *x, const VEC *rest)
{
    VEC out = {};
    for (int i = 0; i < 5; i++)
        if (s->taps[i] != 0)
            out += (x[i] - rest[i]) * (REAL)s->taps[i];
    return out;
}

/* One step of the reverse ring along the discrete Heun steps: x, p are the run before it and at its predictor. */
INLINE VEC NAME(back_discrete)(const System *s, VEC *a, const VEC *x, const VEC *p, const VEC *rest, VEC *sums)
{
    const REAL h = s->h;
    VEC q[5], b[5], m[5], g;
    NAME(mirror)(s, a, q);
    for (int i = 0; i < 5; i++) {
        b[i] = (h / 2) * p[i] * q[i];
        m[i] = (h / 2) * a[i] + h * b[i];
        if (sums)
            sums[i] += (h / 2) * q[i] * (p[i] - rest[i]);
    }
    g = h * (a[J] + b[J]);
    NAME(mirror)(s, m, q);
    for (int i = 0; i < 5; i++) {
        a[i] += b[i] + x[i] * q[i];
        if (sums)
            sums[i] += q[i] * (x[i] - rest[i]);
    }
    return g;
}

/* One Heun step of a' = carrier A^T a in reversed time, from carrier c to carrier e; d, b: displacements there. */
INLINE VEC NAME(back_continuous)(const System *s, VEC *a, const VEC *c, const VEC *e, const VEC *d, const VEC *b,
                                 VEC *sums)
{
    const REAL h = s->h;
    VEC q[5], r[5], n[5], before = a[J];
    NAME(mirror)(s, a, q);
    for (int i = 0; i < 5; i++)
        n[i] = a[i] + h * c[i] * q[i];
    NAME(mirror)(s, n, r);
    for (int i = 0; i < 5; i++)
        a[i] += (h / 2) * (c[i] * q[i] + e[i] * r[i]);
    if (sums) {
        NAME(mirror)(s, a, r);
        for (int i = 0; i < 5; i++)
            sums[i] += (h / 2) * (q[i] * d[i] + r[i] * b[i]);
    }
    return (h / 2) * (before + a[J]);
}

/* The shortest causal path alone: u -> J in one step, J -> S or T in two; the carrier is the final state. */
INLINE VEC NAME(back_lead)(const System *s, const VEC *a, VEC e, VEC u, const VEC *x, const VEC *rest, VEC *sums)
{
    const REAL span = s->h * s->steps, two = s->k3 * span * span / 2;
    if (sums) {
        VEC up = e * u * rest[J] * rest[S] * (two * (REAL)s->taps[S]);
        VEC down = e * u * rest[J] * rest[T] * (two * (REAL)s->taps[T]);
        sums[J] += up - down;
        sums[S] += up;
        sums[T] -= down;
    }
    return a[J] * span + (a[S] - a[T]) * x[J] * two;
}

/* The reverse circuit: error e of the output in, what arrives at the drive out; sums of ln x*'s gradient, if given. */
INLINE VEC NAME(back)(const System *s, VEC e, VEC u, const VEC *rest, const VEC *last, int mode, VEC *path, VEC *sums)
{
    VEC a[5], d[5], x[5], g = {};
    const int along = mode == EXACT || mode == DISCRETE;
    if (along)
        NAME(run)(s, u, rest, x, path);
    else
        memcpy(x, last, sizeof x);
    const VEC *carrier = mode == FIXED ? rest : x;
    for (int i = 0; i < 5; i++) {
        a[i] = e * x[i] * (REAL)s->taps[i]; /* of x to of ln x, at the element itself */
        d[i] = x[i] - rest[i];
        if (sums && mode != LEAD)
            sums[i] += e * d[i] * (REAL)s->taps[i];
    }
    if (mode == LEAD)
        return NAME(back_lead)(s, a, e, u, x, rest, sums);
    for (int64_t t = s->steps - 1; t >= 0; t--) {
        if (mode == DISCRETE) {
            g += NAME(back_discrete)(s, a, path + 10 * t, path + 10 * t + 5, rest, sums);
        } else if (mode == EXACT) {
            VEC b[5];
            const VEC *there = path + 10 * t;
            for (int i = 0; i < 5; i++)
                b[i] = there[i] - rest[i];
            g += NAME(back_continuous)(s, a, x, there, d, b, sums);
            memcpy(x, there, sizeof x);
            memcpy(d, b, sizeof d);
        } else {
            g += NAME(back_continuous)(s, a, carrier, carrier, d, d, sums);
        }
    }
    return g;
}

INLINE VEC NAME(back_of_mode)(const System *s, VEC e, VEC u, const VEC *rest, const VEC *last, VEC *path, VEC *sums)
{
    switch (s->mode) { /* a copy of the loop a mode, so that none is chosen inside */
    case EXACT: return NAME(back)(s, e, u, rest, last, EXACT, path, sums);
    case FINAL: return NAME(back)(s, e, u, rest, last, FINAL, path, sums);
    case FIXED: return NAME(back)(s, e, u, rest, last, FIXED, path, sums);
    case LEAD: return NAME(back)(s, e, u, rest, last, LEAD, path, sums);
    default: return NAME(back)(s, e, u, rest, last, DISCRETE, path, sums);
    }
}

/* What arrives at a saturated drive, as seen before its saturation u = S tanh(. / S). */
INLINE VEC NAME(unsaturated)(const System *s, VEC arrived, VEC u)
{
    const VEC share = u * (REAL)(1 / s->saturation);
    return arrived - arrived * (share * share);
}
