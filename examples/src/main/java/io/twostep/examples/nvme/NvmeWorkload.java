package io.twostep.examples.nvme;

import java.nio.file.Path;
import java.util.Map;

/**
 * What to run.
 *
 * @param file the file to store and read back
 * @param machine name of the machine
 * @param machineSettings settings of the machine that differ from its defaults
 * @param device address of a controller that the machine has; empty for one that is modelled
 * @param ioSize bytes of a request, a multiple of the block size
 * @param queueDepth requests outstanding in a queue
 * @param queues I/O queue pairs
 */
public record NvmeWorkload(
    Path file, String machine, Map<String, String> machineSettings, String device, long ioSize, int queueDepth, int queues) {
  public NvmeWorkload {
    machineSettings = Map.copyOf(machineSettings);
  }

  /** Run on a modelled controller. */
  public NvmeWorkload(Path file, String machine, Map<String, String> machineSettings, long ioSize, int queueDepth, int queues) {
    this(file, machine, machineSettings, "", ioSize, queueDepth, queues);
  }

  boolean isModelled() {
    return device.isEmpty();
  }

  /** Return where the controller is. */
  String address() {
    return isModelled() ? Assembled.ADDRESS : device;
  }

  /** Bytes of a block of the namespace. */
  public static final int BLOCK = 512;
}
