/** Live migration of devices: states, streams, page-list buffers, dirty tracking, and a migratable device from both sides. */
module io.twostep.device.vfio {
  requires transitive io.twostep.dma;

  exports io.twostep.device.vfio.buffer;
  exports io.twostep.device.vfio.state;
  exports io.twostep.device.vfio.stream;
}
