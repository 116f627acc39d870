package io.twostep.examples.compare;

/**
 * A strategy that cannot map these buffers on its stack.
 *
 * @param of stack and strategy
 * @param reason why, in one line
 */
public record Refusal(StackKind.Case of, String reason) {}
