/**
 * JMH benchmarks of the mapping layer alone: memory is a window of addresses that nobody dereferences and the IOMMU is a counter, so that
 * what is measured is allocator, tables, handles and checks. No product code belongs here.
 *
 * <p>Not marked for nullness: JMH fills the fields of a state in its setup method, which the checker cannot follow.
 */
package io.twostep.benchmarks;
