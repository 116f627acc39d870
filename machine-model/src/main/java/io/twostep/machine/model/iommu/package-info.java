/**
 * Translation hardware: readers of page tables in RAM, the caches in front of them, what was published, and the faults. Reads the same bits as the
 * backends write and shares no code with them.
 */
@NullMarked
package io.twostep.machine.model.iommu;

import org.jspecify.annotations.NullMarked;
