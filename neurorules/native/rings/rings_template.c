/* All rings of a layer or of a connection, for one floating type, with the vectors of ring_template.c. */

INLINE VEC NAME(load)(const REAL *from, int n)
{
    VEC to = {};
    if (n == WIDTH)
        memcpy(&to, from, sizeof(VEC));
    else
        memcpy(&to, from, n * sizeof(REAL));
    return to;
}

INLINE void NAME(store)(REAL *to, VEC from, int n)
{
    if (n == WIDTH)
        memcpy(to, &from, sizeof(VEC));
    else
        memcpy(to, &from, n * sizeof(REAL));
}

INLINE void NAME(load_five)(VEC *to, const REAL *from, int64_t stride, int n)
{
    for (int i = 0; i < 5; i++)
        to[i] = NAME(load)(from + i * stride, n);
}

/* Rings at nodes: drive (rows, size), rest (5, size) -> out (rows, size), final (rows, 5, size). */
void NAME(nodes)(const System *s, const REAL *drive, const REAL *rest, REAL *out, REAL *final, int64_t rows,
                 int64_t size)
{
#pragma omp parallel for schedule(static) num_threads(team(rows * size, s->threads))
    for (int64_t row = 0; row < rows; row++)
        for (int64_t at = 0; at < size; at += WIDTH) {
            int n = size - at < WIDTH ? (int)(size - at) : WIDTH;
            VEC r[5], x[5];
            NAME(load_five)(r, rest + at, size, n);
            NAME(run)(s, NAME(load)(drive + row * size + at, n), r, x, 0);
            NAME(store)(out + row * size + at, NAME(output)(s, x, r), n);
            for (int i = 0; i < 5; i++)
                NAME(store)(final + (row * 5 + i) * size + at, x[i], n);
        }
}

/* Their reverse circuit: error (rows, size) in, arrived (rows, size) out, sums (5, size) of ln x*'s gradient or null. */
void NAME(nodes_back)(const System *s, const REAL *error, const REAL *drive, const REAL *rest, const REAL *final,
                      REAL *arrived, REAL *sums, int64_t rows, int64_t size)
{
    const int64_t blocks = (size + WIDTH - 1) / WIDTH;
#pragma omp parallel for schedule(static) num_threads(team(rows * size, s->threads))
    for (int64_t block = 0; block < blocks; block++) {
        int64_t at = block * WIDTH;
        int n = size - at < WIDTH ? (int)(size - at) : WIDTH;
        VEC r[5], x[5], gathered[5] = {}, path[10 * s->steps];
        NAME(load_five)(r, rest + at, size, n);
        for (int64_t row = 0; row < rows; row++) {
            NAME(load_five)(x, final + row * 5 * size + at, size, n);
            VEC e = NAME(load)(error + row * size + at, n), u = NAME(load)(drive + row * size + at, n);
            VEC g = sums ? NAME(back_of_mode)(s, e, u, r, x, path, gathered)
                         : NAME(back_of_mode)(s, e, u, r, x, path, 0);
            NAME(store)(arrived + row * size + at, NAME(unsaturated)(s, g, u), n);
        }
        for (int i = 0; i < 5 && sums; i++)
            NAME(store)(sums + i * size + at, gathered[i], n);
    }
}

/* Rings at connections: drive (rows, pre), rest (5, pre, post) -> out (rows, post). A drive of 0 leaves a ring at rest. */
void NAME(edges)(const System *s, const REAL *drive, const REAL *rest, REAL *out, int64_t rows, int64_t pre,
                 int64_t post)
{
    memset(out, 0, rows * post * sizeof(REAL));
#pragma omp parallel for schedule(dynamic, 1) num_threads(team(rows * pre * post, s->threads))
    for (int64_t row = 0; row < rows; row++)
        for (int64_t at = 0; at < post; at += WIDTH) {
            int n = post - at < WIDTH ? (int)(post - at) : WIDTH;
            VEC sum = {}, r[5], x[5];
            for (int64_t i = 0; i < pre; i++) {
                REAL u = drive[row * pre + i];
                if (u == 0)
                    continue;
                NAME(load_five)(r, rest + i * post + at, pre * post, n);
                NAME(run)(s, (VEC){} + u, r, x, 0);
                sum += NAME(output)(s, x, r);
            }
            NAME(store)(out + row * post + at, sum, n);
        }
}

/* Error (rows, post) of their summed output -> gradient of ln x*, sums (5, pre, post). */
void NAME(edges_sums)(const System *s, const REAL *error, const REAL *drive, const REAL *rest, REAL *sums,
                      int64_t rows, int64_t pre, int64_t post)
{
#pragma omp parallel for schedule(dynamic, 1) num_threads(team(rows * pre * post, s->threads))
    for (int64_t i = 0; i < pre; i++)
        for (int64_t at = 0; at < post; at += WIDTH) {
            int n = post - at < WIDTH ? (int)(post - at) : WIDTH;
            VEC r[5], x[5] = {}, gathered[5] = {}, path[10 * s->steps];
            NAME(load_five)(r, rest + i * post + at, pre * post, n);
            for (int64_t row = 0; row < rows; row++) {
                REAL u = drive[row * pre + i];
                if (u == 0)
                    continue;
                VEC e = NAME(load)(error + row * post + at, n);
                if (s->mode != EXACT && s->mode != DISCRETE)
                    NAME(run)(s, (VEC){} + u, r, x, 0);
                NAME(back_of_mode)(s, e, (VEC){} + u, r, x, path, gathered);
            }
            for (int k = 0; k < 5; k++)
                NAME(store)(sums + (k * pre + i) * post + at, gathered[k], n);
        }
}

/* Error (rows, post) of their summed output -> what arrives at their drives, arrived (rows, pre). */
void NAME(edges_back)(const System *s, const REAL *error, const REAL *drive, const REAL *rest, REAL *arrived,
                      int64_t rows, int64_t pre, int64_t post)
{
#pragma omp parallel for schedule(dynamic, 1) num_threads(team(rows * pre * post, s->threads))
    for (int64_t row = 0; row < rows; row++) {
        VEC path[10 * s->steps];
        for (int64_t i = 0; i < pre; i++) {
            const VEC u = (VEC){} + drive[row * pre + i];
            REAL sum = 0;
            for (int64_t at = 0; at < post; at += WIDTH) {
                int n = post - at < WIDTH ? (int)(post - at) : WIDTH;
                VEC r[5], x[5] = {};
                NAME(load_five)(r, rest + i * post + at, pre * post, n);
                if (s->mode != EXACT && s->mode != DISCRETE)
                    NAME(run)(s, u, r, x, 0);
                VEC g = NAME(back_of_mode)(s, NAME(load)(error + row * post + at, n), u, r, x, path, 0);
                for (int k = 0; k < n; k++)
                    sum += g[k];
            }
            arrived[row * pre + i] = NAME(unsaturated)(s, (VEC){} + sum, u)[0];
        }
    }
}

#undef VEC
#undef INT
#undef WIDTH
