/** Assembly: plugins that ServiceLoader finds, put together by Guice into a running platform. */
module io.twostep.platform {
  requires transitive io.twostep.dma;
  requires static transitive org.jspecify;
  requires transitive com.google.guice;
  // Guice is an automatic module and names no dependency of its own, so that these must be resolved here.
  requires aopalliance;
  requires com.google.common;
  requires jakarta.inject;
  requires org.objectweb.asm;
  requires org.slf4j;

  exports io.twostep.platform;

  uses io.twostep.dma.spi.DmaPlugin;
  uses io.twostep.platform.GuicePlugin;
}
