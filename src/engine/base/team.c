/* The thread team, which is the only global mutable state besides the list of networks.
 *
 * Each worker has a seat. A call asks workers by writing to their seats; a worker that has just finished spins on its seat for a short
 * while, so that calls in quick succession find it awake, and then sleeps on a condition variable and costs nothing. During a call all
 * run the same task, each with its own number, and meet at barriers that spin briefly, then yield, then sleep.
 */
#include "engine/base/team.h"
#include "engine/base/clock.h"
#include "engine/base/fpmode.h"
#include "fastmlp.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define SPINS 2000            /* pauses before a barrier yields: tens of microseconds, longer than the parts of a step differ */
#define YIELDS 200            /* yields before it sleeps */
#define PAUSES_PER_YIELD 64   /* of a thread that waits without an end in sight */
#define IDLE_SECONDS 50e-6    /* a worker spins for so long after a call before it sleeps */
#define WAKING_SECONDS 40e-6  /* a sleeping worker takes about so long to start */

enum { SEAT_FREE, SEAT_ASKED, SEAT_RUNNING };

typedef struct seat {
    _Alignas(64) atomic_int state;
    atomic_int asleep;
    pthread_cond_t wake;
} seat;

static struct {
    pthread_mutex_t owner; /* held by the call that has the team, which alone writes task, argument, count, workers */
    pthread_mutex_t mutex; /* guards going to sleep */
    atomic_int limit;      /* threads a call may use */
    int workers;           /* threads made so far, the caller not counted */
    fm_team_task *task;
    void *argument;
    int count;     /* threads in the current call */
    double finish; /* when the last call of fm_team_share ended */
    seat seats[FM_MAX_THREADS];
    pthread_cond_t done; /* the caller waits for workers to finish */
    atomic_int waiting;  /* it sleeps */
    int has_caller;
    pthread_t caller;    /* the thread that made the call */
    atomic_int deserted; /* the caller forked and this is the child: no other worker will reach a barrier */

    pthread_cond_t barrier_wake;
    _Alignas(64) atomic_int arrived; /* apart from what waiting workers read */
    _Alignas(64) atomic_uint phase;
    atomic_int sleepers;
} team = {
    .owner = PTHREAD_MUTEX_INITIALIZER,
    .mutex = PTHREAD_MUTEX_INITIALIZER,
    .done = PTHREAD_COND_INITIALIZER,
    .barrier_wake = PTHREAD_COND_INITIALIZER,
    .limit = 1,
};

static pthread_once_t watch_forks = PTHREAD_ONCE_INIT;

/* In the child only the forking thread exists: locks are recreated, and a new team grows when needed. A thread that forks while it has
 * the team, in a user-defined function, keeps it and is its only worker. */
static void after_fork_in_child(void) {
    const int has_team = team.has_caller && pthread_equal(team.caller, pthread_self());
    pthread_mutex_init(&team.owner, NULL);
    pthread_mutex_init(&team.mutex, NULL);
    pthread_cond_init(&team.done, NULL);
    pthread_cond_init(&team.barrier_wake, NULL);
    for (int i = 0; i < FM_MAX_THREADS; i++)
        atomic_store(&team.seats[i].state, SEAT_FREE);
    team.workers = 0;
    team.has_caller = has_team;
    atomic_store(&team.waiting, 0);
    atomic_store(&team.arrived, 0);
    atomic_store(&team.sleepers, 0);
    atomic_store(&team.deserted, has_team);
    if (has_team)
        pthread_mutex_lock(&team.owner);
}

static void register_fork_handler(void) { pthread_atfork(NULL, NULL, after_fork_in_child); }

static inline void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* One turn of a wait that ends after SPINS + YIELDS turns. */
static void wait_briefly(int turn) {
    if (turn < SPINS)
        pause_briefly();
    else
        sched_yield();
}

void fm_team_spin(int turn) {
    if (turn % PAUSES_PER_YIELD == PAUSES_PER_YIELD - 1)
        sched_yield();
    else
        pause_briefly();
}

/* Returns when the seat's worker is asked: spins first, then sleeps. */
static void wait_to_be_asked(seat *s) {
    const double limit = fm_now() + IDLE_SECONDS;
    for (int turn = 0; turn % 16 || fm_now() < limit; turn++) {
        if (atomic_load_explicit(&s->state, memory_order_relaxed) == SEAT_ASKED)
            return;
        fm_team_spin(turn);
    }
    pthread_mutex_lock(&team.mutex);
    atomic_store(&s->asleep, 1);
    while (atomic_load(&s->state) != SEAT_ASKED)
        pthread_cond_wait(&s->wake, &team.mutex);
    atomic_store(&s->asleep, 0);
    pthread_mutex_unlock(&team.mutex);
}

static void *worker_main(void *argument) {
    const int id = (int)(intptr_t)argument;
    seat *s = &team.seats[id];
    for (;;) {
        wait_to_be_asked(s);
        int asked = SEAT_ASKED;
        if (!atomic_compare_exchange_strong(&s->state, &asked, SEAT_RUNNING))
            continue; /* the call ended without us */
        const fm_fpmode mode = fm_fpmode_enter();
        team.task(team.argument, (fm_worker){id, team.count});
        fm_fpmode_leave(mode);
        atomic_store(&s->state, SEAT_FREE);
        if (atomic_load(&team.waiting)) {
            pthread_mutex_lock(&team.mutex);
            pthread_cond_signal(&team.done);
            pthread_mutex_unlock(&team.mutex);
        }
    }
    return NULL;
}

/* Grows the team to `count` threads with the caller, or as far as the system lets it. */
static int grow_team(int count) {
    while (team.workers + 1 < count) {
        seat *s = &team.seats[team.workers + 1];
        pthread_cond_init(&s->wake, NULL);
        atomic_store(&s->asleep, 0);
        pthread_t thread;
        if (pthread_create(&thread, NULL, worker_main, (void *)(intptr_t)(team.workers + 1)) != 0)
            break;
        pthread_detach(thread);
        team.workers++;
    }
    return team.workers + 1 < count ? team.workers + 1 : count;
}

/* Asks a worker to run the task. A sleeping one hears of it only if it is woken. */
static void ask(seat *s, int wakes) {
    atomic_store(&s->state, SEAT_ASKED);
    if (wakes && atomic_load(&s->asleep)) {
        pthread_mutex_lock(&team.mutex);
        pthread_cond_signal(&s->wake);
        pthread_mutex_unlock(&team.mutex);
    }
}

/* Returns when the worker has finished; with `withdraws`, or if it has not started. */
static void finish_with(seat *s, int withdraws) {
    int asked = SEAT_ASKED;
    if (withdraws && atomic_compare_exchange_strong(&s->state, &asked, SEAT_FREE))
        return;
    for (int turn = 0; turn < SPINS + YIELDS; turn++) {
        if (atomic_load(&s->state) == SEAT_FREE)
            return;
        wait_briefly(turn);
    }
    pthread_mutex_lock(&team.mutex);
    atomic_store(&team.waiting, 1);
    while (atomic_load(&s->state) != SEAT_FREE)
        pthread_cond_wait(&team.done, &team.mutex);
    atomic_store(&team.waiting, 0);
    pthread_mutex_unlock(&team.mutex);
}

static void run_alone(fm_team_task *task, void *argument) {
    const fm_fpmode mode = fm_fpmode_enter();
    task(argument, (fm_worker){0, 1});
    fm_fpmode_leave(mode);
}

/* Runs the task on all of `count` threads, or on those that are awake by the time the caller has finished; the caller has the team. */
static void run_together(fm_team_task *task, void *argument, int count, int wakes, int withdraws) {
    const fm_fpmode mode = fm_fpmode_enter();
    count = grow_team(count);
    team.task = task;
    team.argument = argument;
    team.count = count;
    team.caller = pthread_self();
    team.has_caller = 1;
    for (int i = 1; i < count; i++)
        ask(&team.seats[i], wakes);
    task(argument, (fm_worker){0, count});
    for (int i = 1; i < count; i++)
        finish_with(&team.seats[i], withdraws);
    team.has_caller = 0;
    atomic_store(&team.deserted, 0);
    fm_fpmode_leave(mode);
}

/* Whether the caller now has the team. */
static int take_team(int count) {
    if (count <= 1)
        return 0;
    pthread_once(&watch_forks, register_fork_handler); /* before there is a thread */
    return pthread_mutex_trylock(&team.owner) == 0;
}

void fm_team_run(fm_team_task *task, void *argument, int count) {
    if (!take_team(count)) {
        run_alone(task, argument);
        return;
    }
    run_together(task, argument, count, 1, 0);
    pthread_mutex_unlock(&team.owner);
}

void fm_team_share(fm_team_task *task, void *argument, int count, double seconds) {
    if (!take_team(count)) {
        run_alone(task, argument);
        return;
    }
    run_together(task, argument, count, seconds > 2 * WAKING_SECONDS || fm_now() - team.finish < IDLE_SECONDS, 1);
    team.finish = fm_now();
    pthread_mutex_unlock(&team.owner);
}

void fm_team_barrier(fm_worker worker) {
    if (worker.count == 1 || atomic_load_explicit(&team.deserted, memory_order_relaxed))
        return;
    const unsigned phase = atomic_load(&team.phase);
    if (atomic_fetch_add(&team.arrived, 1) == worker.count - 1) {
        atomic_store(&team.arrived, 0);
        atomic_store(&team.phase, phase + 1);
        if (atomic_load(&team.sleepers) > 0) {
            pthread_mutex_lock(&team.mutex);
            pthread_cond_broadcast(&team.barrier_wake);
            pthread_mutex_unlock(&team.mutex);
        }
        return;
    }
    for (int turn = 0; turn < SPINS + YIELDS; turn++) {
        if (atomic_load_explicit(&team.phase, memory_order_acquire) != phase)
            return;
        wait_briefly(turn);
    }
    pthread_mutex_lock(&team.mutex);
    atomic_fetch_add(&team.sleepers, 1);
    while (atomic_load(&team.phase) == phase)
        pthread_cond_wait(&team.barrier_wake, &team.mutex);
    atomic_fetch_sub(&team.sleepers, 1);
    pthread_mutex_unlock(&team.mutex);
}

void fm_set_threads(int count) { atomic_store(&team.limit, count < 1 ? 1 : count > FM_MAX_THREADS ? FM_MAX_THREADS : count); }

int fm_get_threads(void) { return atomic_load(&team.limit); }
