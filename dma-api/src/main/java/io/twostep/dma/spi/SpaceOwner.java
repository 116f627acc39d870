package io.twostep.dma.spi;

import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.spi.AddressSpace.Translation;
import org.jspecify.annotations.Nullable;

/**
 * Which terminal owns the translations of an {@link AddressSpace}, as long as a stack over it lives: a second one would hand out the same I/O addresses and take the tables away from the first.
 *
 * <p>A machine makes one with each address space and does nothing else with it; {@link io.twostep.dma.DmaStack} claims and releases it. Thread-safe.
 */
public final class SpaceOwner {
  private @Nullable TerminalBackend terminal;
  private int stacks;

  /** Create the owner of a new address space: nobody. */
  public SpaceOwner() {}

  /**
   * Take the address space of a device for a terminal, once more if it has it already; where nothing translates there is nothing to own.
   *
   * @throws DmaMappingException UNSUPPORTED if another terminal has it; nothing changes then
   */
  public synchronized void claim(AttachContext context, TerminalBackend claimant) {
    if (context.space().translation() != Translation.TRANSLATED) {
      return;
    }
    TerminalBackend owner = terminal;
    if (owner != null && owner != claimant) {
      throw new DmaMappingException(
          Reason.UNSUPPORTED,
          "%s: another instance of backend %s owns the translations of %s; attach all its devices through one instance, or close the other's mappers first"
              .formatted(context.device(), owner.name(), context.space().name()));
    }
    terminal = claimant;
    stacks++;
  }

  /** Give back one {@link #claim}. */
  public synchronized void release() {
    if (stacks > 0 && --stacks == 0) {
      terminal = null;
    }
  }
}
