/** Translate through an IOMMU: IOVA allocation, page tables, invalidation and flush queues. */
module io.twostep.backend.iommu {
  requires static org.jspecify;
  requires transitive io.twostep.dma;
  requires org.slf4j;

  exports io.twostep.backend.iommu;

  provides io.twostep.dma.spi.DmaPlugin with
      io.twostep.backend.iommu.IommuBackendPlugin;
}
