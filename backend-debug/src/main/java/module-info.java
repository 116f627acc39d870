/** Check every rule of the mapping API, and measure. */
module io.twostep.backend.debug {
  requires static org.jspecify;
  requires transitive io.twostep.dma;
  requires HdrHistogram;
  requires jdk.jfr;
  requires org.slf4j;

  exports io.twostep.backend.debug;
  exports io.twostep.backend.debug.measure;

  provides io.twostep.dma.spi.DmaPlugin with
      io.twostep.backend.debug.DebugBackendPlugin;
}
