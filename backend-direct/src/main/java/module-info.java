/** Map without translation: DMA addresses are physical addresses, shifted by piecewise offsets. */
module io.twostep.backend.direct {
  requires static org.jspecify;
  requires transitive io.twostep.dma;

  exports io.twostep.backend.direct;

  provides io.twostep.dma.spi.DmaPlugin with
      io.twostep.backend.direct.DirectBackendPlugin;
}
