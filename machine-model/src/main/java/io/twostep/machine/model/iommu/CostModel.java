package io.twostep.machine.model.iommu;

/**
 * What translation costs in simulated time.
 *
 * @param missNanos a translation that no cache answers
 * @param tableReadNanos each table it reads
 * @param invalidationNanos an invalidation
 */
public record CostModel(long missNanos, long tableReadNanos, long invalidationNanos) {}
