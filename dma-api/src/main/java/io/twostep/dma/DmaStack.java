package io.twostep.dma;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.LayerBackend;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.SpaceOwner;
import io.twostep.dma.spi.TerminalBackend;
import java.util.ArrayList;
import java.util.List;

/**
 * A stack of backends: layers from the driver's side down, and the terminal below them. Immutable.
 *
 * <p>The stack does not own its backends: whoever made them closes them after every mapper made from it.
 */
public final class DmaStack {
  private final TerminalBackend terminal;
  private final List<LayerBackend> layers;

  private DmaStack(TerminalBackend terminal, List<LayerBackend> layers) {
    this.terminal = terminal;
    this.layers = layers;
  }

  /** Compose a stack; {@code layers} are listed outermost first, nearest to the driver. */
  public static DmaStack of(TerminalBackend terminal, LayerBackend... layers) {
    return of(terminal, List.of(layers));
  }

  /** Compose a stack; {@code layers} are listed outermost first. */
  public static DmaStack of(TerminalBackend terminal, List<LayerBackend> layers) {
    return new DmaStack(terminal, OutermostLayers.above(layers));
  }

  /** Return the names of the backends, outermost first. */
  public List<String> names() {
    List<String> names = new ArrayList<>();
    layers.forEach(layer -> names.add(layer.name()));
    names.add(terminal.name());
    return names;
  }

  /**
   * Attach the device at an address.
   *
   * @throws IllegalArgumentException if there is no such device
   * @throws DmaMappingException if a backend cannot serve it, or if another terminal owns the translations of its address space; nothing stays attached then
   */
  public DmaMapper attach(Machine machine, String address, DeviceLimits limits) {
    return attach(machine, machine.slot(new DeviceAddress(address)), limits);
  }

  /** Attach a device; as {@link #attach(Machine, String, DeviceLimits)}. */
  public DmaMapper attach(Machine machine, DeviceSlot slot, DeviceLimits limits) {
    return new DmaMapper(machine, slot, limits, compose(machine, slot, limits));
  }

  AttachedStack compose(Machine machine, DeviceSlot slot, DeviceLimits limits) {
    AttachContext context = new AttachContext(machine, slot, machine.addressSpaceFor(slot), limits, -1);
    SpaceOwner owner = context.space().owner();
    owner.claim(context, terminal);
    try {
      return new AttachedStack(attachAll(context), layers.size(), context);
    } catch (RuntimeException e) {
      owner.release();
      throw e;
    }
  }

  private DmaOps attachAll(AttachContext context) {
    DmaOps ops = terminal.attach(context);
    try {
      for (int i = layers.size() - 1; i >= 0; i--) {
        ops = layers.get(i).attach(new AttachContext(context.machine(), context.slot(), context.space(), context.limits(), i), ops);
      }
      return ops;
    } catch (RuntimeException e) {
      throw Closing.after(e, ops::close);
    }
  }

  @Override
  public String toString() {
    return String.join("+", names());
  }
}
