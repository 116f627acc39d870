package io.twostep.device.nvme;

import io.twostep.device.nvme.wire.IdentifyCommandLayout;
import io.twostep.device.nvme.wire.IdentifyNamespaceLayout;
import io.twostep.dma.DmaBuffer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Finds the namespaces of a running controller and what they are (Base 5.1.13). One thread at a time. */
final class NamespaceScan {
  private static final ValueLayout.OfInt LIST_ENTRY = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int LIST_ENTRIES = IdentifyCommandLayout.DATA_SIZE / 4;

  /** The most namespaces that are believed: each costs commands and memory, and a hostile controller may name all numbers there are. */
  private static final int MOST = 1 << 16;

  private final NvmeController controller;
  private final ControllerCore core;
  private final DmaBuffer buffer;

  /** Create a scan that receives descriptions in {@code buffer}. */
  NamespaceScan(NvmeController controller, ControllerCore core, DmaBuffer buffer) {
    this.controller = controller;
    this.core = core;
    this.buffer = buffer;
  }

  /**
   * Describe every active namespace, in order of their ids.
   *
   * @throws NvmeException if the description of one does not arrive, or the controller names more than any has, or not in order
   */
  List<NvmeNamespace> scan() {
    List<NvmeNamespace> found = new ArrayList<>();
    for (int id : namespaceIds()) {
      NvmeNamespace namespace = identify(id);
      if (namespace != null) {
        found.add(namespace);
      }
    }
    return List.copyOf(found);
  }

  private List<Integer> namespaceIds() {
    List<Integer> ids = new ArrayList<>();
    int last = 0;
    while (true) {
      AdminCommand list =
          BringUp.identify("list namespaces", IdentifyCommandLayout.CNS_ACTIVE_NAMESPACES, buffer).namespace(last);
      if (!core.admin().executeIfSupported(list)) {
        // Before version 1.1 there was no list: all numbers up to the count are tried.
        for (int id = 1; Integer.compareUnsigned(id, core.facts().namespaces()) <= 0; id++) {
          add(ids, id);
        }
        return ids;
      }
      for (int i = 0; i < LIST_ENTRIES; i++) {
        int id = buffer.segment().get(LIST_ENTRY, i * 4L);
        if (id == 0) {
          return ids;
        }
        if (Integer.compareUnsigned(id, last) <= 0) {
          throw protocol("it lists namespace " + Integer.toUnsignedString(id) + " behind namespace " + Integer.toUnsignedString(last) + "; ids ascend");
        }
        add(ids, id);
        last = id;
      }
    }
  }

  private void add(List<Integer> ids, int id) {
    if (ids.size() == MOST) {
      throw protocol("it says that it has more than " + MOST + " namespaces");
    }
    ids.add(id);
  }

  private NvmeException protocol(String what) {
    return NvmeException.ofController(core.name(), NvmeErrorKind.PROTOCOL, what);
  }

  private @Nullable NvmeNamespace identify(int id) {
    AdminCommand whole =
        BringUp.identify("identify namespace", IdentifyCommandLayout.CNS_NAMESPACE, buffer).namespace(id);
    if (!core.admin().executeIfSupported(whole)) {
      return null;
    }
    MemorySegment data =
        MemorySegment.ofArray(buffer.segment().asSlice(0, IdentifyCommandLayout.DATA_SIZE).toArray(ValueLayout.JAVA_LONG));
    if (IdentifyNamespaceLayout.NSZE.get(data, 0) == 0) {
      return null;
    }
    String wrong = NamespaceFormat.wrongWith(data);
    if (wrong != null) {
      throw protocol("namespace " + Integer.toUnsignedString(id) + " has " + wrong);
    }
    AdminCommand ofCommandSet =
        BringUp.identify("identify NVM namespace", IdentifyCommandLayout.CNS_COMMAND_SET_NAMESPACE, buffer).namespace(id);
    boolean known = core.admin().executeIfSupported(ofCommandSet);
    NamespaceFormat format = NamespaceFormat.of(data, known ? buffer.segment() : null);
    return new NvmeNamespace(controller, core, id, format);
  }
}
