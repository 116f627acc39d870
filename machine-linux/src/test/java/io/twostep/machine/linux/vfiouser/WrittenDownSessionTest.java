package io.twostep.machine.linux.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.HostManagedIommu;
import io.twostep.machine.linux.vfiouser.server.VfioUserServerConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Whole sessions against a peer that knows nothing of this module: bytes that were written down by hand from the specification, over Java's own sockets. What a descriptor is passed for is not seen there,
 * the message that it goes with is.
 */
@Timeout(600)
class WrittenDownSessionTest {
  @TempDir Path folder;

  /** The other end: says bytes, and hears exactly the bytes that it expects. */
  private record Peer(SocketChannel channel) {
    void says(String hex) {
      ByteBuffer bytes = ByteBuffer.wrap(parse(hex));
      try {
        while (bytes.hasRemaining()) {
          channel.write(bytes);
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    void hears(String hex) {
      byte[] expected = parse(hex);
      ByteBuffer bytes = ByteBuffer.allocate(expected.length);
      try {
        while (bytes.hasRemaining() && channel.read(bytes) >= 0) {}
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      assertThat(HexFormat.of().formatHex(bytes.array(), 0, bytes.position())).isEqualTo(HexFormat.of().formatHex(expected));
    }

    /** Hexadecimal, but for what stands between apostrophes, which is text. */
    private static byte[] parse(String hex) {
      StringBuilder all = new StringBuilder();
      String[] parts = hex.split("'", -1);
      for (int i = 0; i < parts.length; i++) {
        all.append(i % 2 == 0 ? parts[i].replaceAll("[ |]", "") : HexFormat.of().formatHex(parts[i].getBytes(StandardCharsets.US_ASCII)));
      }
      return HexFormat.of().parseHex(all);
    }
  }

  /** Header: id, command, size, flags, errno. */
  private static void serve(Peer client) {
    client.hears("0100 0100 78000000 00000000 00000000 | 0000 0100 '{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,\"max_dma_maps\":65535,\"pgsizes\":4096}}' 00");
    client.says("0100 0100 5c000000 01000000 00000000 | 0000 0100 '{ \"capabilities\": { \"max_msg_fds\": 8, \"max_data_xfer_size\": 1048576 } }' 00");
    client.hears("0200 0400 20000000 00000000 00000000 | 10000000 00000000 00000000 00000000");
    client.says("0200 0400 20000000 01000000 00000000 | 10000000 03000000 09000000 05000000");
    // BAR 0, and what its register says of the address; no other BAR; configuration space.
    client.hears("0300 0500 30000000 00000000 00000000 | 00100000 00000000 00000000 00000000 0000000000000000 0000000000000000");
    client.says("0300 0500 30000000 01000000 00000000 | 20000000 03000000 00000000 00000000 0040000000000000 0000000000000000");
    client.hears("0400 0900 20000000 00000000 00000000 | 1000000000000000 07000000 04000000");
    client.says("0400 0900 24000000 01000000 00000000 | 1000000000000000 07000000 04000000 000000fe");
    for (int bar = 1; bar <= 5; bar++) {
      String index = "0" + bar + "000000";
      String id = "0" + (bar + 4) + "00";
      client.hears(id + "0500 30000000 00000000 00000000 | 00100000 00000000" + index + "00000000 0000000000000000 0000000000000000");
      client.says(id + "0500 30000000 01000000 00000000 | 20000000 00000000" + index + "00000000 0000000000000000 0000000000000000");
    }
    client.hears("0a00 0500 30000000 00000000 00000000 | 00100000 00000000 07000000 00000000 0000000000000000 0000000000000000");
    client.says("0a00 0500 30000000 01000000 00000000 | 20000000 03000000 07000000 00000000 0010000000000000 0000000000000000");
    client.hears("0b00 0700 20000000 00000000 00000000 | 10000000 00000000 02000000 00000000");
    client.says("0b00 0700 20000000 01000000 00000000 | 10000000 01000000 02000000 00020000");
    // Vector 3 by an eventfd; the status register says that there are no capabilities.
    client.hears("0c00 0900 20000000 00000000 00000000 | 0600000000000000 07000000 02000000");
    client.says("0c00 0900 22000000 01000000 00000000 | 0600000000000000 07000000 02000000 0000");
    client.hears("0d00 0800 24000000 00000000 00000000 | 14000000 24000000 02000000 03000000 01000000");
    client.says("0d00 0800 10000000 01000000 00000000");
    // A page at 0x10000 that the device may read.
    client.hears("0e00 0200 30000000 00000000 00000000 | 20000000 01000000 0000000000000000 0000010000000000 0010000000000000");
    client.says("0e00 0200 10000000 01000000 00000000");
    // Before it answers a read of a register the server reads the page, and may not write it.
    client.hears("0f00 0900 20000000 00000000 00000000 | 1c00000000000000 00000000 04000000");
    client.says("7777 0b00 20000000 00000000 00000000 | 0800010000000000 0400000000000000");
    client.hears("7777 0b00 24000000 01000000 00000000 | 0800010000000000 0400000000000000 'page'");
    client.says("7877 0c00 24000000 00000000 00000000 | 0000010000000000 0400000000000000 'nope'");
    client.hears("7877 0c00 10000000 21000000 0e000000");
    client.says("0f00 0900 24000000 01000000 00000000 | 1c00000000000000 00000000 04000000 78563412");
    // A write that wants no reply.
    client.hears("1000 0a00 28000000 10000000 00000000 | 2800000000000000 00000000 08000000 8877665544332211");
    client.hears("1100 0300 28000000 00000000 00000000 | 18000000 00000000 0000010000000000 0010000000000000");
    client.says("1100 0300 28000000 01000000 00000000 | 18000000 00000000 0000010000000000 0010000000000000");
    client.hears("1200 0d00 10000000 00000000 00000000");
    client.says("1200 0d00 10000000 01000000 00000000");
    // After a reset, and again at the end: decode, do not master, no line interrupt.
    client.hears("1300 0900 20000000 00000000 00000000 | 0400000000000000 07000000 02000000");
    client.says("1300 0900 22000000 01000000 00000000 | 0400000000000000 07000000 02000000 0600");
    client.hears("1400 0a00 22000000 00000000 00000000 | 0400000000000000 07000000 02000000 0204");
    client.says("1400 0a00 20000000 01000000 00000000 | 0400000000000000 07000000 02000000");
    client.hears("1500 0900 20000000 00000000 00000000 | 0600000000000000 07000000 02000000");
    client.says("1500 0900 22000000 01000000 00000000 | 0600000000000000 07000000 02000000 0000");
    client.hears("1600 0800 24000000 00000000 00000000 | 14000000 24000000 02000000 03000000 01000000");
    client.says("1600 0800 10000000 01000000 00000000");
    client.hears("1700 0900 20000000 00000000 00000000 | 0400000000000000 07000000 02000000");
    client.says("1700 0900 22000000 01000000 00000000 | 0400000000000000 07000000 02000000 0204");
    client.hears("1800 0a00 22000000 00000000 00000000 | 0400000000000000 07000000 02000000 0204");
    client.says("1800 0a00 20000000 01000000 00000000 | 0400000000000000 07000000 02000000");
    client.hears("1900 0800 24000000 00000000 00000000 | 14000000 21000000 02000000 00000000 00000000");
    client.says("1900 0800 10000000 01000000 00000000");
  }

  @Test
  void clientSaysAndUnderstandsWhatTheSpecificationSays() throws Exception {
    Path path = folder.resolve("s");
    try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(path))) {
      CompletableFuture<Void> served =
          CompletableFuture.runAsync(
              () -> {
                try (SocketChannel client = listener.accept()) {
                  serve(new Peer(client));
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                }
              });
      try (VfioUserMachine machine = VfioUserMachine.open(VfioUserConfig.of(path).withMemory(1 << 20).withDescriptors(false));
          MemoryBlock block = machine.memory().allocate(4096, MemoryPlacement.CONTIGUOUS)) {
        DeviceSlot slot = machine.slot(VfioUserMachine.DEVICE);
        slot.interrupts().enable(3, () -> {});
        block.segment().setString(8, "page");
        HostManagedIommu iommu = (HostManagedIommu) machine.addressSpaceFor(slot).iommu();
        iommu.map(0x10000, block.phys(0), 4096, 1);
        assertThat(slot.mmio(0).read32(0x1c)).isEqualTo(0x12345678);
        slot.mmio(0).write64(0x28, 0x1122334455667788L);
        assertThat(iommu.unmap(0x10000, 4096)).isEqualTo(4096);
        slot.reset();
      }
      served.join();
    }
  }

  @Test
  void serverSaysAndUnderstandsWhatTheSpecificationSays() throws Exception {
    Path path = folder.resolve("s");
    try (ServedHere _ = new ServedHere(VfioUserServerConfig.of(path), new CopyDevice());
        SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
      Peer server = new Peer(channel);
      server.says("2143 0100 14000000 00000000 00000000 | 0000 0700");
      server.hears("2143 0100 79000000 01000000 00000000 | 0000 0100 '{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576,\"max_dma_maps\":16384,\"pgsizes\":4096}}' 00");
      server.says("0200 0400 20000000 00000000 00000000 | 10000000 00000000 00000000 00000000");
      server.hears("0200 0400 20000000 01000000 00000000 | 10000000 03000000 09000000 05000000");
      server.says("0300 0500 30000000 00000000 00000000 | 20000000 00000000 07000000 00000000 0000000000000000 0000000000000000");
      server.hears("0300 0500 30000000 01000000 00000000 | 20000000 03000000 07000000 00000000 0010000000000000 0000000000000000");
      server.says("0400 0700 20000000 00000000 00000000 | 10000000 00000000 02000000 00000000");
      server.hears("0400 0700 20000000 01000000 00000000 | 10000000 01000000 02000000 04000000");
      server.says("0500 0900 20000000 00000000 00000000 | 0000000000000000 07000000 04000000");
      server.hears("0500 0900 24000000 01000000 00000000 | 0000000000000000 07000000 04000000 361b7707");
      // Decode and master; two pages at 0x10000 that the client keeps; copy four bytes from the first to the second.
      server.says("0600 0a00 22000000 00000000 00000000 | 0400000000000000 07000000 02000000 0600");
      server.hears("0600 0a00 20000000 01000000 00000000 | 0400000000000000 07000000 02000000");
      server.says("0700 0200 30000000 00000000 00000000 | 20000000 03000000 0000000000000000 0000010000000000 0020000000000000");
      server.hears("0700 0200 10000000 01000000 00000000");
      server.says("0800 0a00 28000000 10000000 00000000 | 0000000000000000 00000000 08000000 0000010000000000");
      server.says("0900 0a00 28000000 10000000 00000000 | 0800000000000000 00000000 08000000 0010010000000000");
      server.says("0a00 0a00 28000000 10000000 00000000 | 1000000000000000 00000000 08000000 0400000000000000");
      server.says("0b00 0a00 24000000 00000000 00000000 | 0010000000000000 00000000 04000000 01000000");
      server.hears("0b00 0a00 20000000 01000000 00000000 | 0010000000000000 00000000 04000000");
      server.hears("0100 0b00 20000000 00000000 00000000 | 0000010000000000 0400000000000000");
      server.says("0100 0b00 24000000 01000000 00000000 | 0000010000000000 0400000000000000 'copy'");
      server.hears("0200 0c00 24000000 00000000 00000000 | 0010010000000000 0400000000000000 'copy'");
      server.says("0200 0c00 20000000 01000000 00000000 | 0010010000000000 0400000000000000");
      server.says("0c00 0900 20000000 00000000 00000000 | 1800000000000000 00000000 08000000");
      server.hears("0c00 0900 28000000 01000000 00000000 | 1800000000000000 00000000 08000000 0100000000000000");
      server.says("0d00 0300 28000000 00000000 00000000 | 18000000 00000000 0000010000000000 0020000000000000");
      server.hears("0d00 0300 28000000 01000000 00000000 | 18000000 00000000 0000010000000000 0020000000000000");
      // What is no map any more (ENOENT), a region that is none (EINVAL), vectors that there are not (EINVAL).
      server.says("0e00 0300 28000000 00000000 00000000 | 18000000 00000000 0000010000000000 0020000000000000");
      server.hears("0e00 0300 10000000 21000000 02000000");
      server.says("0f00 0500 30000000 00000000 00000000 | 20000000 00000000 09000000 00000000 0000000000000000 0000000000000000");
      server.hears("0f00 0500 10000000 21000000 16000000");
      server.says("1000 0800 24000000 00000000 00000000 | 14000000 21000000 02000000 04000000 01000000");
      server.hears("1000 0800 10000000 21000000 16000000");
      server.says("1100 0800 24000000 00000000 00000000 | 14000000 21000000 02000000 00000000 00000000");
      server.hears("1100 0800 10000000 01000000 00000000");
      server.says("1200 0d00 10000000 00000000 00000000");
      server.hears("1200 0d00 10000000 01000000 00000000");
    }
  }
}
