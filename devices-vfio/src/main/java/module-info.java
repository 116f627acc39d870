/** Live migration of devices: states, streams, page-list buffers, dirty tracking, and a migratable device from both sides. */
module io.twostep.device.vfio {
  requires transitive io.twostep.dma;

  exports io.twostep.device.vfio;
  exports io.twostep.device.vfio.buffer;
  exports io.twostep.device.vfio.dirty;
  exports io.twostep.device.vfio.guest;
  exports io.twostep.device.vfio.migrate;
  exports io.twostep.device.vfio.model;
  exports io.twostep.device.vfio.state;
  exports io.twostep.device.vfio.stream;

  provides io.twostep.dma.spi.DmaPlugin with
      io.twostep.device.vfio.MigratableDriverPlugin,
      io.twostep.device.vfio.model.MigratableModelPlugin;
}
