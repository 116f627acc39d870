/** Translate through an IOMMU: IOVA allocation, page tables, invalidation and flush queues. */
module io.twostep.backend.iommu {
  requires static org.jspecify;
}
