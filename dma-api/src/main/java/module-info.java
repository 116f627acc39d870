/** The contracts of Twostep: what drivers call, and what plugins implement. */
module io.twostep.dma {
  requires static transitive org.jspecify;
  requires org.slf4j;

  exports io.twostep.dma;
  exports io.twostep.dma.spi;

  uses io.twostep.dma.spi.DmaPlugin;
}
