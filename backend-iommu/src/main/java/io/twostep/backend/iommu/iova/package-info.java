/**
 * Hand out ranges of I/O virtual addresses, and hold back returned ones until no stale translation can reach them.
 * Everything here is pure: addresses and counters only, with time, timers and the invalidation itself handed in. Page
 * tables, devices and machines do not belong here.
 */
@NullMarked
package io.twostep.backend.iommu.iova;

import org.jspecify.annotations.NullMarked;
