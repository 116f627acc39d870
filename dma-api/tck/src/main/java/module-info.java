/** A kit that proves backends right; its package is open, because JUnit runs its tests by reflection. */
module io.twostep.tck {
  requires transitive io.twostep.dma;
  requires transitive org.junit.jupiter.api;
  requires transitive org.assertj.core;
  requires jdk.management;
  requires static org.jspecify;

  exports io.twostep.tck;

  opens io.twostep.tck;

  uses io.twostep.dma.spi.DmaPlugin;
}
