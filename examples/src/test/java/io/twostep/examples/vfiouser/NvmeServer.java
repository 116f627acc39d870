package io.twostep.examples.vfiouser;

import io.twostep.device.nvme.model.NamespaceConfig;
import io.twostep.device.nvme.model.NvmeControllerModel;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.machine.linux.vfiouser.server.SharedWindow;
import io.twostep.machine.linux.vfiouser.server.VfioUserServer;
import io.twostep.machine.linux.vfiouser.server.VfioUserServerConfig;
import java.nio.file.Path;

/** Serves an NVMe controller with one namespace until it is killed: the main of a child JVM. Says {@code ready} once it listens. */
public final class NvmeServer {
  static final int BLOCK = 512;
  static final long BLOCKS = 65536;

  private NvmeServer() {}

  static NvmeControllerModel model() {
    return new NvmeControllerModel(NvmeModelConfig.DEFAULT.with(c -> c.namespaces(NamespaceConfig.ofMemory(BLOCKS, BLOCK)).vectors(4)));
  }

  static VfioUserServerConfig config(Path socket, boolean shared) {
    VfioUserServerConfig config = VfioUserServerConfig.of(socket);
    return shared ? config.withShared(new SharedWindow(0, 0x1000, 0x1000)) : config;
  }

  public static void main(String[] arguments) {
    try (VfioUserServer server = VfioUserServer.listen(config(Path.of(arguments[0]), true), model())) {
      System.out.println("ready");
      server.serve();
    }
  }
}
