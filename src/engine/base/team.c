/* The thread team, which is the only global mutable state besides the list of networks.
 *
 * Workers sleep on a condition variable between calls. During a call all workers run the same task, each with its own id, and meet at
 * barriers that spin briefly, then yield, then sleep, so that progress is possible with more busy threads than cores.
 */
#include "engine/base/team.h"
#include "engine/base/fpmode.h"
#include "fastmlp.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define SPINS 2000 /* pauses before a barrier yields: tens of microseconds, more than the workers of a step usually differ */
#define YIELDS 200 /* yields before it sleeps */

static struct {
    pthread_mutex_t owner; /* held by the call that has the team */
    pthread_mutex_t mutex; /* guards the fields below and both conditions */
    pthread_cond_t wake, done;
    int limit;   /* threads a call may use */
    int workers; /* threads created so far, without the caller */
    unsigned long call;
    fm_team_task *task;
    void *argument;
    int count;   /* threads in the current call */
    int running; /* workers of the current call that have not finished */
    int has_caller;
    pthread_t caller;    /* the thread that made the call */
    atomic_int deserted; /* the caller forked and this is the child: no other worker will reach a barrier */

    pthread_cond_t barrier_wake;
    atomic_int arrived, sleepers;
    atomic_uint phase;
} team = {
    .owner = PTHREAD_MUTEX_INITIALIZER,
    .mutex = PTHREAD_MUTEX_INITIALIZER,
    .wake = PTHREAD_COND_INITIALIZER,
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
    pthread_cond_init(&team.wake, NULL);
    pthread_cond_init(&team.done, NULL);
    pthread_cond_init(&team.barrier_wake, NULL);
    team.workers = 0;
    team.running = 0;
    team.has_caller = has_team;
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

static void *worker_main(void *argument) {
    const int id = (int)(intptr_t)argument;
    pthread_mutex_lock(&team.mutex);
    /* The call that created this thread counts it already. */
    unsigned long seen = team.call - 1;
    for (;;) {
        while (team.call == seen)
            pthread_cond_wait(&team.wake, &team.mutex);
        seen = team.call;
        if (id >= team.count)
            continue;
        fm_team_task *task = team.task;
        void *task_argument = team.argument;
        const fm_worker worker = {id, team.count};
        pthread_mutex_unlock(&team.mutex);
        const fm_fpmode mode = fm_fpmode_enter();
        task(task_argument, worker);
        fm_fpmode_leave(mode);
        pthread_mutex_lock(&team.mutex);
        if (--team.running == 0)
            pthread_cond_signal(&team.done);
    }
    return NULL;
}

/* Grows the team to `count` threads with the caller, or as far as the system lets it; team.mutex is held. */
static int grow_team(int count) {
    while (team.workers + 1 < count) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, worker_main, (void *)(intptr_t)(team.workers + 1)) != 0)
            break;
        pthread_detach(thread);
        team.workers++;
    }
    return team.workers + 1 < count ? team.workers + 1 : count;
}

void fm_team_run(fm_team_task *task, void *argument, int count) {
    const fm_fpmode mode = fm_fpmode_enter();
    pthread_once(&watch_forks, register_fork_handler); /* before there is a thread */
    if (count <= 1 || pthread_mutex_trylock(&team.owner) != 0) {
        task(argument, (fm_worker){0, 1});
        fm_fpmode_leave(mode);
        return;
    }
    pthread_mutex_lock(&team.mutex);
    team.call++;
    count = grow_team(count);
    team.task = task;
    team.argument = argument;
    team.count = count;
    team.running = count - 1;
    team.caller = pthread_self();
    team.has_caller = 1;
    pthread_cond_broadcast(&team.wake);
    pthread_mutex_unlock(&team.mutex);

    task(argument, (fm_worker){0, count});

    pthread_mutex_lock(&team.mutex);
    while (team.running > 0)
        pthread_cond_wait(&team.done, &team.mutex);
    team.has_caller = 0;
    atomic_store(&team.deserted, 0);
    pthread_mutex_unlock(&team.mutex);
    pthread_mutex_unlock(&team.owner);
    fm_fpmode_leave(mode);
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
    for (int i = 0; i < SPINS + YIELDS; i++) {
        if (atomic_load_explicit(&team.phase, memory_order_acquire) != phase)
            return;
        if (i < SPINS)
            pause_briefly();
        else
            sched_yield();
    }
    pthread_mutex_lock(&team.mutex);
    atomic_fetch_add(&team.sleepers, 1);
    while (atomic_load(&team.phase) == phase)
        pthread_cond_wait(&team.barrier_wake, &team.mutex);
    atomic_fetch_sub(&team.sleepers, 1);
    pthread_mutex_unlock(&team.mutex);
}

void fm_set_threads(int count) {
    pthread_mutex_lock(&team.mutex);
    team.limit = count < 1 ? 1 : count > FM_MAX_THREADS ? FM_MAX_THREADS : count;
    pthread_mutex_unlock(&team.mutex);
}

int fm_get_threads(void) {
    pthread_mutex_lock(&team.mutex);
    const int limit = team.limit;
    pthread_mutex_unlock(&team.mutex);
    return limit;
}
