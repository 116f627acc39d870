package io.twostep.examples.serve;

import io.twostep.device.nvme.model.NamespaceConfig;
import io.twostep.device.nvme.model.NvmeControllerModel;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.examples.temporary.AtEnd;
import io.twostep.machine.linux.vfiouser.server.SharedWindow;
import io.twostep.machine.linux.vfiouser.server.VfioUserServer;
import io.twostep.machine.linux.vfiouser.server.VfioUserServerConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** An NVMe controller, served over a socket; clients ring its doorbells by store. */
public final class NvmeServer implements AutoCloseable {
  /** Bytes of a block. */
  public static final int BLOCK = 512;

  /** The doorbells of the queues that the model grants by default. */
  private static final SharedWindow DOORBELLS = new SharedWindow(0, 0x1000, 0x1000);

  private final VfioUserServer server;
  private final ServedFiles served;
  private final String description;

  private NvmeServer(VfioUserServer server, ServedFiles served, String description) {
    this.server = server;
    this.served = served;
    this.description = description;
  }

  /**
   * Listen.
   *
   * @param files one for each namespace; empty for one namespace in memory
   * @param bytes of the namespace in memory
   * @throws IllegalArgumentException if a file is not whole blocks, or served already, by this server or another
   */
  public static NvmeServer listen(Path socket, List<Path> files, long bytes) {
    List<NamespaceConfig> namespaces = new ArrayList<>();
    List<String> drives = new ArrayList<>();
    for (Path file : files) {
      long size = size(file);
      namespaces.add(NamespaceConfig.ofFile(file, size / BLOCK, BLOCK));
      drives.add(file + " (" + size + " bytes)");
    }
    if (files.isEmpty()) {
      namespaces.add(NamespaceConfig.ofMemory(bytes / BLOCK, BLOCK));
      drives.add("memory (" + bytes + " bytes)");
    }
    NvmeModelConfig config = NvmeModelConfig.DEFAULT.with(c -> c.namespaces(namespaces));
    NvmeControllerModel model = new NvmeControllerModel(config);
    ServedFiles served;
    try {
      served = ServedFiles.lock(files);
    } catch (RuntimeException e) {
      model.close();
      throw e;
    }
    try {
      VfioUserServer server = VfioUserServer.listen(VfioUserServerConfig.of(socket).withShared(DOORBELLS), model);
      return new NvmeServer(server, served, "serving nvme at " + socket + ": " + String.join(", ", drives));
    } catch (RuntimeException e) {
      served.close();
      throw e;
    }
  }

  private static long size(Path file) {
    try {
      long size = Files.size(file);
      if (size == 0 || size % BLOCK != 0) {
        throw new IllegalArgumentException(file + " has " + size + " bytes; a drive is whole blocks of " + BLOCK + " bytes, at least one");
      }
      return size;
    } catch (IOException e) {
      throw new UncheckedIOException("the size of " + file + " cannot be read", e);
    }
  }

  /** Return one line that says what is served. */
  public String description() {
    return description;
  }

  /** Serve until {@link #close}, or until the process is told to end: then what was written is kept, and the socket goes. */
  public void serveUntilTold() {
    try (AtEnd _ = AtEnd.run("end of service", server::close)) {
      server.serve();
    }
  }

  @Override
  public void close() {
    try {
      server.close();
    } finally {
      served.close();
    }
  }
}
