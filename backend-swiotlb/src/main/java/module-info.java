/** Bounce what a device must not or cannot touch through slots of memory of its own. */
module io.twostep.backend.swiotlb {
  requires static org.jspecify;
  requires transitive io.twostep.dma;

  exports io.twostep.backend.swiotlb;

  provides io.twostep.dma.spi.DmaPlugin with
      io.twostep.backend.swiotlb.SwiotlbBackendPlugin;
}
