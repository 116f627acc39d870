package io.twostep.examples.vfiouser;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.NvmeController;
import io.twostep.device.nvme.NvmeNamespace;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.machine.linux.vfiouser.VfioUserMachine;
import io.twostep.machine.linux.vfiouser.server.VfioUserServer;
import io.twostep.platform.Platform;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The NVMe driver, unchanged, on a controller that is served over a socket: by this process, and by another. */
@Timeout(600)
class NvmeOverVfioUserTest {
  private static final String DEVICE = VfioUserMachine.DEVICE.text();

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({
    "iommu, translated, true, true, true",
    "iommu, translated, true, false, true",
    "iommu, translated, false, false, true",
    "direct, registered, true, true, true",
    "direct, registered, false, false, true",
    "swiotlb+iommu, translated, true, true, false"
  })
  void bytesGoToTheDriveAndComeBack(String backends, String addressing, String descriptors, boolean shared, String trusted) throws Exception {
    Path socket = folder.resolve("nvme.sock");
    try (VfioUserServer server = VfioUserServer.listen(NvmeServer.config(socket, shared), NvmeServer.model())) {
      Thread thread = Thread.ofPlatform().start(server::serve);
      try (Platform platform =
          Platform.builder()
              .machine("vfio-user")
              .set("socket", socket.toString())
              .set("memory", "64M")
              .set("addressing", addressing)
              .set("descriptors", descriptors)
              .set("trusted", trusted)
              .device(DEVICE, d -> d.backends(List.of(("debug+" + backends).split("\\+"))).set("debug.on-error", "throw"))
              .build()) {
        exercise(platform);
      }
      server.stop();
      thread.join();
    }
  }

  static void exercise(Platform platform) {
    NvmeController controller = platform.open(DEVICE, NvmeController.class);
    NvmeNamespace namespace = controller.namespaces().getFirst();
    int length = 200 * NvmeServer.BLOCK;
    byte[] bytes = new byte[length];
    new Random(7).nextBytes(bytes);
    try (MemoryBlock source = platform.memory().allocate(length, MemoryPlacement.SCATTERED);
        MemoryBlock target = platform.memory().allocate(length, MemoryPlacement.SCATTERED)) {
      source.segment().asByteBuffer().put(bytes);
      for (long lba = 3; lba < 60_000; lba += 13_001) {
        namespace.write(lba, source);
      }
      namespace.flush();
      for (long lba = 3; lba < 60_000; lba += 13_001) {
        target.segment().fill((byte) 0);
        namespace.read(lba, target);
        assertThat(target.segment().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(bytes);
      }
    }
  }
}
