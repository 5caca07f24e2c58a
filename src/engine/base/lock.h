/* The lock of a network: shared by predictions, exclusive for everything else. It knows its owner, so that a user-defined loss that
 * calls back into the network gets an error instead of a deadlock. */
#ifndef FASTMLP_LOCK_H
#define FASTMLP_LOCK_H

#include "fastmlp.h"

#include <pthread.h>
#include <stdatomic.h>

/* What a caller does with the network. */
typedef enum fm_access {
    FM_ACCESS_SHARED,  /* read, concurrently */
    FM_ACCESS_FLUSH,   /* flush deferred updates and read, exclusively */
    FM_ACCESS_WRITE, /* write */
} fm_access;

struct fm_waiter;

/* A fair lock: waiters queue in order of arrival, and adjacent readers are granted together. */
typedef struct fm_lock {
    atomic_uint state;      /* number of readers, and the flags of lock.c */
    atomic_uintptr_t owner; /* the thread that holds it for FM_ACCESS_WRITE or has lent it; 0 for none */
    pthread_mutex_t mutex;  /* guards the queue */
    struct fm_waiter *first, *last;
    double lent_since;
    unsigned forks; /* times it was recreated in a forked child */
} fm_lock;

void fm_lock_init(fm_lock *lock);
void fm_lock_destroy(fm_lock *lock);

/* Waits for the lock. If it is not acquired: FM_STATUS_REENTERED if this thread holds it, FM_STATUS_OCCUPIED if the user-defined
 * function it is lent to does not return, FM_STATUS_STOPPED if the wait hook says so. */
fm_status fm_lock_acquire(fm_lock *lock, fm_access access);

/* Like fm_lock_acquire without waiting: FM_STATUS_BUSY if the lock is taken. */
fm_status fm_lock_try(fm_lock *lock, fm_access access);

/* Acquires FM_ACCESS_SHARED within `seconds`, without checking the owner or calling the hook, for use before a fork. 0 on timeout. */
int fm_lock_acquire_before_fork(fm_lock *lock, double seconds);

void fm_lock_release(fm_lock *lock, fm_access access);

/* Whether this thread holds the lock for FM_ACCESS_WRITE or has lent it. */
int fm_lock_is_own(const fm_lock *lock);

/* Lends the lock while the owner runs a user-defined function: others may read, because nothing they see is half updated. */
void fm_lock_lend(fm_lock *lock);
void fm_lock_take_back(fm_lock *lock);

/* Recreates the lock in a forked child, whose only thread is the one that forked and keeps what it held. True if a thread that no longer
 * exists held the lock. */
int fm_lock_renew(fm_lock *lock);

#endif
