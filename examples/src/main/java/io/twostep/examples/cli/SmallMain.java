package io.twostep.examples.cli;

import io.twostep.examples.MapABuffer;
import io.twostep.examples.MapABufferWithGuice;
import io.twostep.examples.copy.CopyABlock;
import io.twostep.examples.nvmeof.NvmeOverRdma;
import io.twostep.examples.rpc.RpcOverRdma;
import java.io.IOException;
import java.util.List;

/**
 * One of the small mains.
 *
 * @param name what the command line calls it
 * @param arguments what it takes; empty for nothing
 * @param idea what it shows
 * @param main prints to the standard output
 */
record SmallMain(String name, String arguments, String idea, Main main) {
  /** All of them. */
  static final List<SmallMain> ALL =
      List.of(
          new SmallMain("map-a-buffer", "", "give a device one address range for scattered pages: reserve, link, sync", MapABuffer::main),
          new SmallMain("map-a-buffer-with-guice", "", "the same with plugins by name, and a mapper that is injected", MapABufferWithGuice::main),
          new SmallMain("copy-a-block", "", "one driver, unchanged, without and with an IOMMU", CopyABlock::main),
          new SmallMain(
              "rpc-over-rdma", "[FILE]", "have another host turn a text into capitals: calls with a head, pages and a tail, in read and write chunks", RpcOverRdma::main),
          new SmallMain(
              "nvme-over-rdma", "FILE", "store a file on another host's NVMe controller and read it back, peer to peer where the tree allows", NvmeOverRdma::main));

  /** A main method. */
  interface Main {
    /** Run. */
    void run(String[] arguments) throws IOException;
  }

  /** Return the one of a name, or refuse the name with what it may have meant. */
  static SmallMain of(String name) {
    List<String> names = ALL.stream().map(SmallMain::name).toList();
    return ALL.get(names.indexOf(Arguments.choice("NAME", name, names)));
  }
}
