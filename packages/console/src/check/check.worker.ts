/** placeholder until the engine lands */
self.addEventListener('message', () => undefined);
