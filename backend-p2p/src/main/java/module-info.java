/** Find out how devices reach each other's memory, and give them the addresses. */
module io.twostep.backend.p2p {
  requires static org.jspecify;
  requires transitive io.twostep.dma;

  exports io.twostep.backend.p2p;

  provides io.twostep.dma.spi.DmaPlugin with
      io.twostep.backend.p2p.P2pBackendPlugin;
}
