/* A fair readers-writer lock with a fast path.
 *
 * A prediction may take a microsecond, so an uncontended lock costs one atomic instruction to acquire and one to release. All other
 * cases use the mutex and the queue: the lock is handed to the first waiter, so neither training nor predictions can starve the other.
 */
#include "engine/base/lock.h"
#include "engine/base/clock.h"

#define HELD (1u << 31)   /* exclusively */
#define QUEUED (1u << 30) /* there are waiters: the fast path is closed */
#define LENT (1u << 29)   /* the owner runs a user-defined function: others may read */
#define READERS (LENT - 1)

#define HOOK_INTERVAL 0.05   /* seconds of waiting between two calls of the wait hook */
#define USER_FUNCTION_TIMEOUT 1.0 /* seconds a writer waits for one call of a user-defined function */

typedef struct fm_waiter {
    struct fm_waiter *next;
    pthread_cond_t turn;
    fm_access access;
    int takes_back; /* the owner, which lent the lock and takes it back */
    int granted;
} fm_waiter;

static fm_wait_hook *wait_hook;

void fm_set_wait_hook(fm_wait_hook *hook) { wait_hook = hook; }

static uintptr_t this_thread(void) { return (uintptr_t)pthread_self(); }

void fm_lock_init(fm_lock *lock) {
    atomic_init(&lock->state, 0);
    atomic_init(&lock->owner, 0);
    pthread_mutex_init(&lock->mutex, NULL);
    lock->first = lock->last = NULL;
    lock->lent_since = 0.0;
    lock->forks = 0;
}

void fm_lock_destroy(fm_lock *lock) { pthread_mutex_destroy(&lock->mutex); }

int fm_lock_is_own(const fm_lock *lock) { return atomic_load_explicit(&lock->owner, memory_order_relaxed) == this_thread(); }

/* -- the queue; the mutex is held -------------------------------------------------------------------------------------------------- */

/* Takes the lock if its state allows it. */
static int try_take(fm_lock *lock, fm_access access, int takes_back) {
    unsigned state = atomic_load(&lock->state);
    for (;;) {
        if (state & HELD || (access != FM_ACCESS_SHARED && state & READERS) || (access == FM_ACCESS_WRITE && state & LENT && !takes_back))
            return 0;
        const unsigned taken = access == FM_ACCESS_SHARED ? state + 1 : takes_back ? (state & ~LENT) | HELD : state | HELD;
        if (atomic_compare_exchange_weak(&lock->state, &state, taken))
            return 1;
    }
}

/* Writers are set aside while the lock is lent, and do not block the waiters behind them. */
static int is_set_aside(const fm_lock *lock, const fm_waiter *waiter) {
    return waiter->access == FM_ACCESS_WRITE && !waiter->takes_back && atomic_load(&lock->state) & LENT;
}

/* Grants the lock to the first waiters that can have it. */
static void grant_waiters(fm_lock *lock) {
    fm_waiter **link = &lock->first;
    lock->last = NULL;
    int blocked = 0;
    while (*link) {
        fm_waiter *waiter = *link;
        const int aside = is_set_aside(lock, waiter);
        if (!blocked && !aside && try_take(lock, waiter->access, waiter->takes_back)) {
            *link = waiter->next;
            waiter->granted = 1;
            pthread_cond_signal(&waiter->turn);
            continue;
        }
        blocked |= !aside;
        lock->last = waiter;
        link = &waiter->next;
    }
    if (lock->first)
        atomic_fetch_or(&lock->state, QUEUED);
    else
        atomic_fetch_and(&lock->state, ~QUEUED);
}

static void enqueue(fm_lock *lock, fm_waiter *waiter, int in_front) {
    if (in_front || !lock->first) {
        waiter->next = lock->first;
        lock->first = waiter;
        lock->last = lock->last ? lock->last : waiter;
    } else {
        waiter->next = NULL;
        lock->last->next = waiter;
        lock->last = waiter;
    }
    /* A fast-path acquisition before this is visible in the state; one that ends after it calls grant_waiters. */
    atomic_fetch_or(&lock->state, QUEUED);
    grant_waiters(lock);
}

static void leave_queue(fm_lock *lock, const fm_waiter *waiter) {
    fm_waiter **link = &lock->first;
    while (*link && *link != waiter)
        link = &(*link)->next;
    if (*link)
        *link = waiter->next;
    grant_waiters(lock);
}

static void init_turn(pthread_cond_t *turn) {
#if defined(__APPLE__)
    pthread_cond_init(turn, NULL);
#else
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(turn, &attributes);
    pthread_condattr_destroy(&attributes);
#endif
}

static void sleep_for(fm_lock *lock, fm_waiter *waiter, double seconds) {
#if defined(__APPLE__)
    const struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    pthread_cond_timedwait_relative_np(&waiter->turn, &lock->mutex, &t);
#else
    const double until = fm_now() + seconds;
    const struct timespec t = {(time_t)until, (long)((until - (double)(time_t)until) * 1e9)};
    pthread_cond_timedwait(&waiter->turn, &lock->mutex, &t);
#endif
}

/* Whether the lock has been lent for longer than USER_FUNCTION_TIMEOUT since this waiter arrived. */
static int is_stuck(const fm_lock *lock, fm_access access, double begin) {
    const double since = lock->lent_since > begin ? lock->lent_since : begin;
    return access == FM_ACCESS_WRITE && atomic_load(&lock->state) & LENT && fm_now() - since > USER_FUNCTION_TIMEOUT;
}

/* Calls the wait hook outside the mutex and the queue, because it may fork or never return. */
static int is_stopped(fm_lock *lock, fm_waiter *waiter) {
    if (!wait_hook)
        return 0;
    leave_queue(lock, waiter);
    pthread_mutex_unlock(&lock->mutex);
    const int stopped = wait_hook();
    pthread_mutex_lock(&lock->mutex);
    if (!stopped)
        enqueue(lock, waiter, 1);
    return stopped;
}

/* Waits until granted. A negative time means no limit; only then are the owner's timeout and the hook checked. */
static fm_status wait_for_turn(fm_lock *lock, fm_waiter *waiter, double seconds) {
    fm_status status = FM_STATUS_OK;
    const double begin = fm_now();
    init_turn(&waiter->turn);
    pthread_mutex_lock(&lock->mutex);
    enqueue(lock, waiter, waiter->takes_back);
    while (!waiter->granted && status == FM_STATUS_OK) {
        sleep_for(lock, waiter, HOOK_INTERVAL);
        if (waiter->granted || waiter->takes_back)
            continue;
        if (seconds >= 0.0)
            status = fm_now() - begin < seconds ? FM_STATUS_OK : FM_STATUS_BUSY;
        else if (is_stuck(lock, waiter->access, begin))
            status = FM_STATUS_OCCUPIED;
        else if (is_stopped(lock, waiter))
            status = FM_STATUS_STOPPED;
    }
    if (status != FM_STATUS_OK)
        leave_queue(lock, waiter);
    pthread_mutex_unlock(&lock->mutex);
    pthread_cond_destroy(&waiter->turn);
    return status;
}

/* -- taking and giving back -------------------------------------------------------------------------------------------------------- */

/* The fast path: no queue, no mutex. */
static int try_fast_path(fm_lock *lock, fm_access access) {
    unsigned state = atomic_load_explicit(&lock->state, memory_order_relaxed);
    if (access != FM_ACCESS_SHARED) {
        state = 0;
        return atomic_compare_exchange_strong(&lock->state, &state, HELD);
    }
    while (!(state & ~READERS))
        if (atomic_compare_exchange_weak(&lock->state, &state, state + 1))
            return 1;
    return 0;
}

static void note_owner(fm_lock *lock, fm_access access) {
    if (access == FM_ACCESS_WRITE)
        atomic_store_explicit(&lock->owner, this_thread(), memory_order_relaxed);
}

fm_status fm_lock_acquire(fm_lock *lock, fm_access access) {
    if (!try_fast_path(lock, access)) {
        if (fm_lock_is_own(lock))
            return FM_STATUS_REENTERED;
        fm_waiter waiter = {.access = access};
        const fm_status status = wait_for_turn(lock, &waiter, -1.0);
        if (status != FM_STATUS_OK)
            return status;
    }
    note_owner(lock, access);
    return FM_STATUS_OK;
}

fm_status fm_lock_try(fm_lock *lock, fm_access access) {
    if (!try_fast_path(lock, access)) {
        if (fm_lock_is_own(lock))
            return FM_STATUS_REENTERED;
        pthread_mutex_lock(&lock->mutex);
        int taken = 1;
        for (const fm_waiter *waiter = lock->first; waiter && taken; waiter = waiter->next)
            taken = is_set_aside(lock, waiter); /* do not overtake other waiters */
        taken = taken && try_take(lock, access, 0);
        pthread_mutex_unlock(&lock->mutex);
        if (!taken)
            return FM_STATUS_BUSY;
    }
    note_owner(lock, access);
    return FM_STATUS_OK;
}

int fm_lock_acquire_before_fork(fm_lock *lock, double seconds) {
    fm_waiter waiter = {.access = FM_ACCESS_SHARED};
    return try_fast_path(lock, FM_ACCESS_SHARED) || wait_for_turn(lock, &waiter, seconds) == FM_STATUS_OK;
}

static void lock_and_grant(fm_lock *lock) {
    pthread_mutex_lock(&lock->mutex);
    grant_waiters(lock);
    pthread_mutex_unlock(&lock->mutex);
}

void fm_lock_release(fm_lock *lock, fm_access access) {
    if (access == FM_ACCESS_SHARED) {
        const unsigned before = atomic_fetch_sub(&lock->state, 1);
        if (before & QUEUED && (before & READERS) == 1)
            lock_and_grant(lock);
        return;
    }
    if (access == FM_ACCESS_WRITE)
        atomic_store_explicit(&lock->owner, 0, memory_order_relaxed);
    if (atomic_fetch_and(&lock->state, ~HELD) & QUEUED)
        lock_and_grant(lock);
}

/* -- lending ----------------------------------------------------------------------------------------------------------------------- */

void fm_lock_lend(fm_lock *lock) {
    pthread_mutex_lock(&lock->mutex);
    lock->lent_since = fm_now();
    atomic_fetch_xor(&lock->state, HELD | LENT);
    grant_waiters(lock);
    pthread_mutex_unlock(&lock->mutex);
}

void fm_lock_take_back(fm_lock *lock) {
    pthread_mutex_lock(&lock->mutex);
    const int taken = try_take(lock, FM_ACCESS_WRITE, 1);
    pthread_mutex_unlock(&lock->mutex);
    if (!taken) {
        fm_waiter waiter = {.access = FM_ACCESS_WRITE, .takes_back = 1};
        wait_for_turn(lock, &waiter, -1.0);
    }
}

int fm_lock_renew(fm_lock *lock) {
    const int own = fm_lock_is_own(lock);
    const unsigned state = atomic_load(&lock->state);
    pthread_mutex_init(&lock->mutex, NULL);
    lock->first = lock->last = NULL;
    lock->forks++;
    atomic_store(&lock->state, own ? LENT : 0);
    atomic_store(&lock->owner, own ? this_thread() : 0);
    return !own && state & (HELD | LENT);
}
