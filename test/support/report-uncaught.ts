/** Loaded before every test file: tap shows nothing of an error that ends a file outside its tests, so it is said in a comment of its results. */
process.on('uncaughtExceptionMonitor', ({ stack, message }: Error) => {
  for (const line of (stack ?? message).split('\n')) console.log(`# uncaught: ${line}`)
})
